// Runs before Gradio's scripts. Gradio holds a connection open for as long as the page is: a browser opens six to one
// server, so the sixth tab would never load. Here the page says every few seconds that it is still there, and Gradio
// reads a stream that never ends, and that no connection stands behind.
(() => {
  const BEAT_SECONDS = 20;  // a hidden tab's timers run once a minute
  const send = window.fetch.bind(window);
  // The footer's API page asks for what is not here; a refusal over the network would stand in the browser's console.
  const ABSENT = /\/(monitoring\/summary|gradio_api\/mcp\/schema)$/;
  window.fetch = (request, options) => {
    const address = String(request.url ?? request);
    if (ABSENT.test(address)) return Promise.resolve(new Response('{}', {status: 404}));
    if (!/\/gradio_api\/heartbeat\/[\w-]+$/.test(address)) return send(request, options);
    const beat = () => send(`${address}?beat`, {cache: 'no-store'}).catch(() => {});
    const timer = setInterval(beat, BEAT_SECONDS * 1000);
    addEventListener('pagehide', () => navigator.sendBeacon(address));
    addEventListener('pageshow', event => { if (event.persisted) beat(); });
    document.addEventListener('visibilitychange', () => { if (!document.hidden) beat(); });
    (options?.signal ?? request.signal)?.addEventListener('abort', () => clearInterval(timer));
    const endless = new Response(new ReadableStream(), {headers: {'Content-Type': 'text/event-stream'}});
    return beat().then(() => endless);
  };
  // Enter that confirms a word of an input method (Japanese, Chinese, Korean) is no Enter of the page.
  for (const kind of ['keydown', 'keypress', 'keyup']) addEventListener(kind, event => {
    if (event.isComposing || event.keyCode === 229) event.stopImmediatePropagation();
  }, true);
})();

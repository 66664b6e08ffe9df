() => {
  // What the page does in the browser alone: the stage, its keys, folded settings, and links. No server state.
  const find = selector => document.querySelector(selector);
  const slider = () => find('#k input[type=range]');

  // What the form says now, for the line that stands for folded settings.
  const settings = () => ({
    collection: find('#collection input:checked')?.value ?? '',
    q: find('#question textarea')?.value ?? '',
    k: slider()?.value ?? '',
    passages: find('#passage_count input[type=range]')?.value ?? '',
  });
  const summarize = () => {
    const fold = find('#fold'), {collection, k, passages} = settings();
    const line = `k = ${k} · ${passages} passage${passages === '1' ? '' : 's'} · ${collection}`;
    if (fold && fold.textContent !== line) fold.textContent = line;
  };
  setInterval(summarize, 400);

  // Gradio's slider reports a release by the pointer only; this adds one by the keyboard.
  let released;
  const release = () => {
    clearTimeout(released);
    released = setTimeout(() => slider()?.dispatchEvent(new PointerEvent('pointerup', {bubbles: true})), 300);
  };
  document.addEventListener('keyup', event => {
    if (event.target.matches('#k input[type=range]') && /^(Arrow|Home|End|Page)/.test(event.key)) release();
  });
  const move = steps => {
    const range = slider();
    if (!range) return;
    range.value = Number(range.value) + steps;  // the browser keeps it within the slider's ends
    range.dispatchEvent(new Event('input', {bubbles: true}));
    summarize();
    release();
  };

  // Of the page's outermost element: Gradio confines style sheets to what is inside its own.
  const page = () => find('#page').classList;
  const unfold = on => find('#fold').setAttribute('aria-expanded', page().toggle('unfolded', on));

  // The stage is a class; the address keeps it over a reload.
  const onStage = () => page().contains('stage');
  const setStage = on => {
    page().toggle('stage', on);
    unfold(false);
    const address = new URL(location);
    on ? address.searchParams.set('stage', '1') : address.searchParams.delete('stage');
    history.replaceState(history.state, '', address);
    summarize();
    find('#question textarea').dispatchEvent(new Event('input', {bubbles: true}));  // as high as its text is now
    find('#stage').textContent = on ? 'Leave' : 'Stage';
    if (on) find('#tabs button[role=tab]')?.click();  // the first tab is the one that compares
  };
  const start = () => find('#stage') && find('#fold') && slider() ? setStage(true) : setTimeout(start, 50);
  if (new URLSearchParams(location.search).get('stage') === '1') start();

  // Passages are changed where they stand; what_if.py reads them there when the question is asked again.
  const edit = button => {
    const passage = button.closest('li'), shown = passage.querySelector('p');
    const original = (passage.querySelector('.original') ?? shown).textContent, open = passage.querySelector('textarea');
    const mark = text => passage.classList.toggle('edited', text !== original);
    shown.hidden = !open;
    button.textContent = open ? 'Edit' : 'Undo';
    button.setAttribute('aria-label', `${button.textContent} passage ${passage.dataset.rank}`);
    if (open) {
      open.remove();
      if (shown.textContent !== original) shown.textContent = original;
      mark(original);
      return;
    }
    const box = Object.assign(document.createElement('textarea'), {value: shown.textContent, maxLength: 4000});
    box.setAttribute('aria-label', `Text of passage ${passage.dataset.rank}`);
    box.addEventListener('input', () => mark(box.value));
    shown.after(box);
    box.style.height = `${box.scrollHeight + 4}px`;
    box.focus();
  };

  document.addEventListener('click', event => {
    const pressed = event.target.closest('.passages button.edit');
    if (pressed) edit(pressed);
    if (event.target.closest('#stage')) setStage(!onStage());
    if (event.target.closest('#fold')) unfold();
  });

  // Whether the button pressed last asks again with the passages as they are shown; said once.
  let again = false;
  document.addEventListener('click', event => { again = Boolean(event.target.closest('#again')) }, true);
  // Of the table of differences, the rows that have all the words typed above it.
  document.addEventListener('input', event => {
    if (!event.target.matches('#differences input[type=search]')) return;
    const words = event.target.value.toLowerCase().split(/\s+/);
    for (const row of document.querySelectorAll('#differences tbody tr')) {
      row.hidden = !words.every(word => row.textContent.toLowerCase().includes(word));
    }
  });
  // The question is as high as its text also after the window has another width.
  addEventListener('resize', () => find('#question textarea')?.dispatchEvent(new Event('input', {bubbles: true})));

  // Documents that another tab of this browser has removed are shown no longer.
  addEventListener('storage', event => {
    if (event.key === 'spring-key' && event.newValue === null) find('#removed-elsewhere').click();
  });

  // Single letters are keys on the stage only, where nobody is surprised by them.
  const press = selector => { const button = find(selector); if (button && !button.disabled) button.click(); };
  const keys = {
    '/': () => find('#question textarea')?.select(),
    Enter: () => press('#compare'),
    ArrowLeft: event => move(event.shiftKey ? -10 : -1),
    ArrowRight: event => move(event.shiftKey ? 10 : 1),
    e: () => press('#explain'),
  };
  document.addEventListener('keydown', event => {
    if (!onStage() || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape') {
      ['#stop', '#explain-stop'].forEach(press);
      event.target.blur?.();
      return;
    }
    const action = Object.hasOwn(keys, event.key) && keys[event.key];
    const takesKeys = 'input, textarea, select, button, a, summary, [role=tab], [contenteditable]';
    if (!action || event.target.closest?.(takesKeys)) return;
    event.preventDefault();
    action(event);
  });

  // Links are made here, as only the browser knows the page's address, and copied within the click, as it demands.
  const copy = async text => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {  // no permission in a frame, or no https
      const box = document.body.appendChild(Object.assign(document.createElement('textarea'), {value: text}));
      box.select();
      const copied = document.execCommand('copy');
      box.remove();
      return copied;
    }
  };
  window.spring = {
    isAgain: () => {
      const was = again;
      again = false;
      return was;
    },
    motion: () => ({behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth'}),
    link: async own => {
      const form = settings(), address = new URL(location.pathname, location.origin);
      if (form.collection === own) return ['', false];
      address.search = new URLSearchParams({...form, run: 1});
      return [address.href, await copy(address.href)];
    },
    run: () => {
      const address = new URL(location);
      address.searchParams.delete('run');
      history.replaceState(history.state, '', address);
      press('#compare');
    },
  };
}

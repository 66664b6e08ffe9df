"""What the browser keeps over a reload, as JavaScript for events: the form, and the key of the visitor's documents.

What is in the form stays in the browser, for each tab its own (`sessionStorage`, until the tab is closed). The key,
which the server made, is kept for all tabs of the browser (`localStorage`). Either may be switched off.
"""

import json
from collections.abc import Sequence

KEY, FORM = "spring-key", "spring-form"  # names in the storage
LONGEST_FORM = 20_000  # characters
READ_KEY = f"() => {{ try {{ return localStorage.getItem('{KEY}') ?? '' }} catch {{ return '' }} }}"
KEEP_KEY = f"key => {{ if (key) try {{ localStorage.setItem('{KEY}', key) }} catch {{}} }}"
FORGET_KEY = f"() => {{ try {{ localStorage.removeItem('{KEY}') }} catch {{}} }}"
READ = f"""() => {{
  let saved = null;
  try {{
    const text = sessionStorage.getItem('{FORM}') ?? '';
    if (text.length <= {LONGEST_FORM}) saved = JSON.parse(text);
  }} catch {{}}
  return [({READ_KEY})(), saved];
}}"""
# What the form holds before it is restored is nothing to remember.
RESTORED = "() => { window.springRestored = true }"


def save(names: Sequence[str]) -> str:
    """JavaScript that saves the values of the form's inputs with these names, in this order."""
    return f"""(...values) => {{
  const form = Object.fromEntries({json.dumps(list(names))}.map((name, index) => [name, values[index]]));
  if (window.springRestored) try {{ sessionStorage.setItem('{FORM}', JSON.stringify(form)) }} catch {{}}
}}"""

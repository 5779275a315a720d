// The language of the page: English as it is written in the sources, or another by the table of words.js.

import { JA } from './words.js';

const KEY = 'roomcast-language';
const TABLES = { en: {}, ja: JA };
const ATTRIBUTES = ['aria-label', 'title', 'placeholder'];

export const language = stored() ?? (navigator.language.startsWith('ja') ? 'ja' : 'en');

/** These English words in the language of the page, with `{name}` replaced by what is in `values`. */
export function t(words, values = {}) {
  return (TABLES[language][words] ?? words).replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Puts all that stands in the page into its language. */
export function translatePage() {
  document.documentElement.lang = language;
  if (language === 'en') return;
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode;
    const words = node.data.trim();
    if (words) node.data = node.data.replace(words, () => t(words));
  }
  for (const element of document.querySelectorAll(ATTRIBUTES.map((name) => `[${name}]`).join())) {
    for (const name of ATTRIBUTES) {
      if (element.hasAttribute(name)) element.setAttribute(name, t(element.getAttribute(name)));
    }
  }
}

/** The other language, remembered; the page shows it once it is loaded again. */
export function switchLanguage() {
  try {
    localStorage.setItem(KEY, language === 'ja' ? 'en' : 'ja');
  } catch {
    // Without storage the page stays in the browser's language.
  }
}

function stored() {
  try {
    const known = localStorage.getItem(KEY);
    return known in TABLES ? known : null;
  } catch {
    return null;
  }
}

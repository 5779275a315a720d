// Light or dark: as the browser prefers, until the switch says otherwise, which is remembered.

const KEY = 'roomcast-theme';
const prefersLight = matchMedia('(prefers-color-scheme: light)');

/** Makes `button` switch between light and dark; `onChange()` is told after each change. */
export function bindTheme(button, onChange) {
  const root = document.documentElement;
  const isLight = () => (root.dataset.theme ? root.dataset.theme === 'light' : prefersLight.matches);
  const told = () => {
    button.setAttribute('aria-pressed', String(isLight()));
    onChange();
  };
  const known = stored();
  if (known === 'light' || known === 'dark') root.dataset.theme = known;
  button.addEventListener('click', () => {
    root.dataset.theme = isLight() ? 'dark' : 'light';
    try {
      localStorage.setItem(KEY, root.dataset.theme);
    } catch {
      // Without storage it holds until the page is left.
    }
    told();
  });
  prefersLight.addEventListener('change', told);
  told();
}

function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

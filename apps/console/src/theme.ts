/** Light or dark: as the system has it, until a person chooses. The browser keeps the choice. */

const place = 'strongroom-theme';
export const themes = ['system', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

export function chosenTheme(): Theme {
  const kept = localStorage.getItem(place);
  return themes.find((theme) => theme === kept) ?? 'system';
}

export function chooseTheme(theme: Theme): void {
  if (theme === 'system') {
    localStorage.removeItem(place);
    delete document.documentElement.dataset.theme;
    return;
  }
  localStorage.setItem(place, theme);
  document.documentElement.dataset.theme = theme;
}

// Languages: English comes with the page, others are loaded when chosen. The choice is remembered per browser.
import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import en from './en';
import './resources';

export const languages = { en: 'English', de: 'Deutsch' } as const;
export type Language = keyof typeof languages;

type Texts = object;
type Loaders = Record<Exclude<Language, 'en'>, () => Promise<{ default: Texts }>>;

const STORED = 'language';
const loaders: Loaders = { de: () => import('./de') };
let appNamespace = '';
let appLoaders: Loaders | undefined;

export function isLanguage(text: string | null | undefined): text is Language {
  return text !== null && text !== undefined && text in languages;
}

function preferredLanguage(): Language {
  const stored = localStorage.getItem(STORED);
  if (isLanguage(stored)) return stored;
  return navigator.languages.map((tag) => tag.slice(0, 2)).find(isLanguage) ?? 'en';
}

/** Call once before the first render: the application's namespace, its English texts, and loaders of the others. */
export async function startI18n(namespace: string, appEnglish: Texts, others: Loaders): Promise<void> {
  appNamespace = namespace;
  appLoaders = others;
  await i18next.use(initReactI18next).init({
    lng: 'en',
    fallbackLng: 'en',
    defaultNS: 'shared',
    resources: { en: { shared: en, [namespace]: appEnglish } },
    interpolation: { escapeValue: false }, // React escapes
  });
  await setLanguage(preferredLanguage(), false);
}

/** Switches the page's language; `remember` keeps the choice for the next visit. */
export async function setLanguage(language: Language, remember = true): Promise<void> {
  if (language !== 'en' && !i18next.hasResourceBundle(language, 'shared')) {
    const [shared, app] = await Promise.all([loaders[language](), appLoaders?.[language]()]);
    i18next.addResourceBundle(language, 'shared', shared.default);
    if (app) i18next.addResourceBundle(language, appNamespace, app.default);
  }
  await i18next.changeLanguage(language);
  document.documentElement.lang = language;
  if (remember) localStorage.setItem(STORED, language);
}

/** The language in use, as Intl takes it. */
export function locale(): string {
  return i18next.language || 'en';
}

// The texts that i18next knows, by namespace. An application adds its own:
//   declare module '@tracker/shared/i18n/resources' { interface TranslationResources { admin: typeof en } }
import type en from './en';

export interface TranslationResources {
  shared: typeof en;
}

declare module 'i18next' {
  interface CustomTypeOptions {
    defaultNS: 'shared';
    resources: TranslationResources;
    enableSelector: false;
  }
}

/** The shape of a translation: the keys of the English texts, any text. A missing or spare key does not compile. */
export type Translation<T> = { [K in keyof T]: T[K] extends string ? string : Translation<T[K]> };

// Tells i18next's types about this application's texts.
import type en from './en';

declare module '@tracker/shared/i18n/resources.ts' {
  interface TranslationResources {
    admin: typeof en;
  }
}

// Deutsche Texte des Front ends; gleiche Schlüssel wie en.ts.
import type { Translation } from '@tracker/shared/i18n/resources.ts';
import type en from './en';

const de: Translation<typeof en> = {
  nav: { overview: 'Übersicht' },
};

export default de;

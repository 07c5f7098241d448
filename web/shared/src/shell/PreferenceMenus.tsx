// Language and colours as parts of the user menu; Preferences.tsx has the same choices for people who are not signed in.
import { useTranslation } from 'react-i18next';
import { isLanguage, languages, setLanguage, type Language } from '../i18n/i18n';
import { setTheme, themes, useTheme } from '../theme/theme';
import { MenuChoices } from '../ui/Menu';

export function LanguageChoices() {
  const { t, i18n } = useTranslation('shared');
  const choices = Object.entries(languages).map(([value, label]) => ({ value: value as Language, label }));
  const current = isLanguage(i18n.language) ? i18n.language : 'en';
  return (
    <MenuChoices
      label={t('menu.language')}
      value={current}
      onChange={(language) => void setLanguage(language)}
      choices={choices}
    />
  );
}

export function ThemeChoices() {
  const { t } = useTranslation('shared');
  const theme = useTheme();
  const choices = themes.map((value) => ({ value, label: t(`theme.${value}`) }));
  return <MenuChoices label={t('theme.label')} value={theme} onChange={setTheme} choices={choices} />;
}

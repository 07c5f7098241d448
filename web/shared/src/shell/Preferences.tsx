// Language and colours, for people who are not signed in; the user menu has the same choices.
import { Languages, SunMoon } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { isLanguage, languages, setLanguage, type Language } from '../i18n/i18n';
import { setTheme, themes, useTheme } from '../theme/theme';
import { Button } from '../ui/Button';
import { Menu, MenuChoices } from '../ui/Menu';

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

export function Preferences() {
  const { t } = useTranslation('shared');
  return (
    <div className="flex gap-1">
      <Menu
        trigger={
          <Button variant="quiet" small>
            <Languages aria-hidden className="size-4" />
            {t('menu.language')}
          </Button>
        }
      >
        <LanguageChoices />
      </Menu>
      <Menu
        trigger={
          <Button variant="quiet" small>
            <SunMoon aria-hidden className="size-4" />
            {t('theme.label')}
          </Button>
        }
      >
        <ThemeChoices />
      </Menu>
    </div>
  );
}

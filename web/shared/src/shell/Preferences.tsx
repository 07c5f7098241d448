// Language and colours, for people who are not signed in; the user menu has the same choices. Native selects, because
// these pages should load quickly.
import { Languages, SunMoon, type LucideIcon } from 'lucide-react';
import { useId, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { isLanguage, languages, setLanguage } from '../i18n/i18n';
import { setTheme, themes, useTheme } from '../theme/theme';

export function Preferences() {
  const { t, i18n } = useTranslation('shared');
  const theme = useTheme();
  return (
    <div className="flex flex-wrap gap-3">
      <Choice
        label={t('menu.language')}
        icon={Languages}
        value={isLanguage(i18n.language) ? i18n.language : 'en'}
        onChange={(value) => isLanguage(value) && void setLanguage(value)}
      >
        {Object.entries(languages).map(([value, name]) => (
          <option key={value} value={value} lang={value}>
            {name}
          </option>
        ))}
      </Choice>
      <Choice
        label={t('theme.label')}
        icon={SunMoon}
        value={theme}
        onChange={(value) => setTheme(themes.find((each) => each === value) ?? 'system')}
      >
        {themes.map((value) => (
          <option key={value} value={value}>
            {t(`theme.${value}`)}
          </option>
        ))}
      </Choice>
    </div>
  );
}

interface ChoiceProps {
  label: string;
  icon: LucideIcon;
  value: string;
  onChange: (value: string) => void;
  /** The options. */
  children: ReactNode;
}

function Choice({ label, icon: Icon, value, onChange, children }: ChoiceProps) {
  const id = useId();
  return (
    <div className="flex items-center gap-1.5">
      <label htmlFor={id} title={label}>
        <Icon aria-hidden className="size-4 text-muted" />
        <span className="sr-only">{label}</span>
      </label>
      <select
        id={id}
        value={value}
        onChange={(event) => onChange(event.target.value)}
        className="min-h-8 rounded-md border border-transparent bg-canvas px-1 hover:border-edge"
      >
        {children}
      </select>
    </div>
  );
}

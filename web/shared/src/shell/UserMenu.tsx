// The menu of the signed-in user: profile, language, colours, sign-out. It opens as soon as it is there.
import { Link } from '@tanstack/react-router';
import { LogOut, User as UserIcon } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { session } from '../session/session';
import { useUser } from '../session/useSession';
import { IconButton } from '../ui/Button';
import { Menu, MenuItem, MenuLine, MenuLink } from '../ui/Menu';
import { toast } from '../ui/toast';
import { LanguageChoices, ThemeChoices } from './PreferenceMenus';

export function UserMenu() {
  const { t } = useTranslation('shared');
  const user = useUser();
  return (
    <Menu
      defaultOpen
      trigger={<IconButton label={t('menu.account')} icon={<UserIcon aria-hidden className="size-5" />} />}
    >
      <div className="px-2.5 py-2">
        <p className="font-medium break-words">{user.name}</p>
        <p className="text-xs text-muted">{user.email}</p>
      </div>
      <MenuLine />
      <MenuLink>
        <Link to="/profile">{t('profile.title')}</Link>
      </MenuLink>
      <LanguageChoices />
      <ThemeChoices />
      <MenuLine />
      <MenuItem
        icon={<LogOut aria-hidden className="size-4" />}
        onSelect={() => void session.signOut().catch((error: unknown) => toast.error(error))}
      >
        {t('menu.signOut')}
      </MenuItem>
    </Menu>
  );
}

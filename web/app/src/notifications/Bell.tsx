// The way to the notifications, with how many are unread.
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Bell as BellIcon } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { unreadQuery } from './queries';

/** More are not counted out in so small a place. */
const MOST_SHOWN = 99;

export function Bell() {
  const { t } = useTranslation('app');
  const { data } = useQuery(unreadQuery());
  const unread = data?.unread ?? 0;
  const label = unread > 0 ? t('notifications.bell', { count: unread }) : t('nav.notifications');
  return (
    <Link
      to="/notifications"
      aria-label={label}
      title={label}
      className="relative inline-flex size-9 shrink-0 items-center justify-center rounded-md hover:bg-raised"
    >
      <BellIcon aria-hidden className="size-5" />
      {unread > 0 && (
        <span
          aria-hidden
          className="absolute -top-0.5 -right-0.5 min-w-4.5 rounded-full bg-danger-fill px-1 text-center text-xs font-semibold text-white"
        >
          {unread > MOST_SHOWN ? `${MOST_SHOWN}+` : unread}
        </span>
      )}
    </Link>
  );
}

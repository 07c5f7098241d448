// One event in words: “Arrived at Store Berlin, 3 hours ago”.
import type { Event } from '@tracker/shared/api/schema.d.ts';
import { Time } from '@tracker/shared/ui/Time.tsx';
import { Link } from '@tanstack/react-router';
import { Clock3, LogIn, LogOut } from 'lucide-react';
import { useTranslation } from 'react-i18next';

const ICONS = { entry: LogIn, exit: LogOut, dwell: Clock3 };

/** With `tracker` the sentence names the tracker and links to it. */
export function EventLine({ event, tracker }: { event: Event; tracker?: boolean }) {
  const { t } = useTranslation('app');
  const Icon = ICONS[event.kind];
  const names = { place: event.location_name, tracker: event.tracker_name };
  return (
    <li className="flex items-start gap-3 px-4 py-2.5">
      <Icon aria-hidden className="mt-0.5 size-4 shrink-0 text-muted" />
      <div className="min-w-0 flex-1 break-words">
        {tracker ? (
          <Link to="/trackers/$id" params={{ id: event.tracker_id }} className="hover:underline">
            {t(`event.${event.kind}Of`, names)}
          </Link>
        ) : (
          t(`event.${event.kind}`, names)
        )}
      </div>
      <span className="text-muted">
        <Time value={event.occurred_at} />
      </span>
    </li>
  );
}

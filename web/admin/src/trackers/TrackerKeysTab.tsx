// The keys of a tracker: public parts only, the private ones never leave the server.
import { api, call } from '@tracker/shared/api/client.ts';
import { Badge } from '@tracker/shared/ui/Badge.tsx';
import { Card } from '@tracker/shared/ui/Card.tsx';
import { Await, Empty } from '@tracker/shared/ui/states.tsx';
import { Time } from '@tracker/shared/ui/Time.tsx';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import type { Row } from '../resource/spec';

export function TrackerKeysTab({ row }: { row: Row }) {
  const { t } = useTranslation('admin');
  const keys = useQuery({
    queryKey: ['/api/v1/trackers', row.id, 'keys'],
    queryFn: ({ signal }) => call(api.GET('/api/v1/trackers/{id}/keys', { params: { path: { id: row.id } }, signal })),
  });
  return (
    <Card>
      <Await query={keys}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={t('keys.none')} />
          ) : (
            <ul className="flex flex-col divide-y divide-line">
              {items.map((key) => (
                <li key={key.id} className="flex flex-col gap-2 py-3 first:pt-0 last:pb-0">
                  <div className="flex flex-wrap items-center gap-2">
                    <Badge>{t(`keys.${key.kind}`)}</Badge>
                    <Badge tone={key.has_private_key ? 'success' : 'danger'}>
                      {t(key.has_private_key ? 'keys.readable' : 'keys.unreadable')}
                    </Badge>
                    <span className="text-muted">
                      <Time value={key.valid_from} exact empty="∞" /> – <Time value={key.valid_until} exact empty="∞" />
                    </span>
                  </div>
                  <dl className="grid gap-x-4 sm:grid-cols-[auto_1fr]">
                    <dt className="text-muted">{t('keys.advertisement')}</dt>
                    <dd className="font-mono text-xs break-all">{key.advertisement_key ?? '–'}</dd>
                    <dt className="text-muted">{t('keys.hash')}</dt>
                    <dd className="font-mono text-xs break-all">{key.hashed_advertisement_key ?? '–'}</dd>
                    <dt className="text-muted">{t('field.mac_address')}</dt>
                    <dd className="font-mono text-xs">{key.mac_address ?? '–'}</dd>
                  </dl>
                </li>
              ))}
            </ul>
          )
        }
      </Await>
    </Card>
  );
}

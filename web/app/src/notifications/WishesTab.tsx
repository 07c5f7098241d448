// What the user is told of: by tracker, by run, or everything of a client; and whether mail comes at all.
import { api, call } from '@tracker/shared/api/client.ts';
import type { Client, Subscription } from '@tracker/shared/api/schema.d.ts';
import { session } from '@tracker/shared/session/session.ts';
import { useUser } from '@tracker/shared/session/useSession.ts';
import { Button, buttonClass } from '@tracker/shared/ui/Button.tsx';
import { Card } from '@tracker/shared/ui/Card.tsx';
import { Dialog } from '@tracker/shared/ui/Dialog.tsx';
import { Checkbox } from '@tracker/shared/ui/Input.tsx';
import { Await, Empty } from '@tracker/shared/ui/states.tsx';
import { toast } from '@tracker/shared/ui/toast.tsx';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { clientsQuery, runQuery, trackerQuery } from '../common/queries';
import { subscriptionsQuery } from './queries';
import { SubscriptionEditor } from './SubscriptionCard';

export function WishesTab() {
  const { t } = useTranslation('app');
  const subscriptions = useQuery(subscriptionsQuery());
  const clients = useQuery(clientsQuery());
  const [edited, setEdited] = useState<Pick<Client, 'id' | 'name'>>();
  const nameOf = (id: number) => clients.data?.items.find((client) => client.id === id)?.name ?? '…';
  return (
    <div className="flex flex-col gap-4">
      <MailSwitch />
      <Card flush>
        <Await query={subscriptions}>
          {({ items }) => (
            <>
              {items.length === 0 && (
                <Empty title={t('subscription.none')}>
                  <p className="max-w-prose">{t('notifications.noneText')}</p>
                </Empty>
              )}
              <ul className="divide-y divide-line">
                {items.map((row) => (
                  <WishLine
                    key={row.id}
                    row={row}
                    client={nameOf(row.client_id)}
                    onChange={() => setEdited({ id: row.client_id, name: nameOf(row.client_id) })}
                  />
                ))}
              </ul>
            </>
          )}
        </Await>
      </Card>
      <Card title={t('subscription.whole')}>
        <p className="max-w-prose pb-3 text-muted">{t('subscription.wholeText')}</p>
        <Await query={clients}>
          {({ items }) => (
            <ul className="flex flex-wrap gap-2">
              {items.map((client) => (
                <li key={client.id}>
                  <Button onClick={() => setEdited(client)}>{t('subscription.everythingOf', client)}</Button>
                </li>
              ))}
            </ul>
          )}
        </Await>
      </Card>
      {edited && (
        <Dialog open title={t('subscription.everythingOf', edited)} onClose={() => setEdited(undefined)}>
          <SubscriptionEditor subject={{ client_id: edited.id }} onDone={() => setEdited(undefined)} />
        </Dialog>
      )}
    </div>
  );
}

/** No mail at all, whatever the single wishes say. */
function MailSwitch() {
  const { t } = useTranslation('app');
  const user = useUser();
  // What was clicked, until the server has answered: the box must not jump back meanwhile.
  const [wanted, setWanted] = useState<boolean>();
  const save = useMutation({
    mutationFn: (email: boolean) =>
      call(api.PATCH('/api/v1/users/me', { body: { notification_preferences: { email } } })),
    onSuccess: (changed) => session.setUser(changed),
    onError: (error) => toast.error(error),
    onSettled: () => setWanted(undefined),
  });
  return (
    <Checkbox
      label={t('subscription.mailAtAll', { email: user.email })}
      checked={wanted ?? user.notification_preferences?.email !== false}
      disabled={wanted !== undefined}
      onChange={({ target: { checked } }) => {
        setWanted(checked);
        save.mutate(checked);
      }}
    />
  );
}

interface WishLineProps {
  row: Subscription;
  client: string;
  /** Changes a wish for a whole client; the others are changed where their subject is shown. */
  onChange: () => void;
}

function WishLine({ row, client, onChange }: WishLineProps) {
  const { t } = useTranslation('app');
  const tracker = useQuery({ ...trackerQuery(row.tracker_id ?? 0), enabled: row.tracker_id !== null });
  const run = useQuery({ ...runQuery(row.production_run_id ?? 0), enabled: row.production_run_id !== null });
  const whole = row.tracker_id === null && row.production_run_id === null;
  const everything = t('subscription.everythingOf', { name: client });
  const name = whole ? everything : (tracker.data?.name ?? run.data?.name ?? '…');
  const kinds = row.kinds.map((kind) => t(`notifications.kinds.${kind}`)).join(', ');
  const change = { search: { tab: 'notify' as const }, className: buttonClass('plain', true) };
  return (
    <li className="flex flex-wrap items-center justify-between gap-3 px-4 py-3">
      <div className="min-w-0 flex-1">
        <p className="font-medium break-words">{name}</p>
        <p className="text-muted">
          {kinds}
          {row.by_mail && ` · ${t('subscription.byMail')}`}
        </p>
      </div>
      {whole && (
        <Button small onClick={onChange}>
          {t('subscription.change')}
        </Button>
      )}
      {row.tracker_id !== null && (
        <Link to="/trackers/$id" params={{ id: row.tracker_id }} {...change}>
          {t('subscription.change')}
        </Link>
      )}
      {row.production_run_id !== null && (
        <Link to="/runs/$id" params={{ id: row.production_run_id }} {...change}>
          {t('subscription.change')}
        </Link>
      )}
    </li>
  );
}

// What the user wants to be told of one tracker or run, or of everything of a client: kept as one subscription.
import { api, call } from '@tracker/shared/api/client.ts';
import type { Subscription } from '@tracker/shared/api/schema.d.ts';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { Card } from '@tracker/shared/ui/Card.tsx';
import { Field } from '@tracker/shared/ui/Field.tsx';
import { Checkbox, Input } from '@tracker/shared/ui/Input.tsx';
import { Await } from '@tracker/shared/ui/states.tsx';
import { toast } from '@tracker/shared/ui/toast.tsx';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { idTexts, type Subject } from '../share/ShareCard';
import { NOTIFICATION_KINDS, type NotificationKind } from './kinds';
import { SUBSCRIPTIONS, subscriptionsQuery } from './queries';

export function SubscriptionCard({ subject }: { subject: Subject }) {
  return (
    <Card>
      <SubscriptionEditor subject={subject} />
    </Card>
  );
}

interface EditorProps {
  subject: Subject | { client_id: number };
  /** After a change was saved. */
  onDone?: () => void;
}

export function SubscriptionEditor({ subject, onDone }: EditorProps) {
  const { t } = useTranslation('app');
  const subscriptions = useQuery(subscriptionsQuery(idTexts(subject)));
  // A client's are all that lie within it; the one for everything names neither tracker nor run.
  const isCurrent = (row: Subscription) =>
    !('client_id' in subject) || (row.tracker_id === null && row.production_run_id === null);
  return (
    <>
      <p className="max-w-prose pb-4 text-muted">{t('subscription.text')}</p>
      <Await query={subscriptions}>
        {({ items }) => {
          const current = items.find(isCurrent);
          return <SubscriptionForm key={current?.updated_at} subject={subject} current={current} onDone={onDone} />;
        }}
      </Await>
    </>
  );
}

interface Wish {
  kinds: NotificationKind[];
  silent_days: number;
  by_mail: boolean;
}

interface FormProps {
  subject: EditorProps['subject'];
  current: Subscription | undefined;
  onDone: (() => void) | undefined;
}

const USUAL: Wish = { kinds: ['delivered', 'left_delivery', 'silent'], silent_days: 7, by_mail: true };
const MOST_DAYS = 365;

function SubscriptionForm({ subject, current, onDone }: FormProps) {
  const { t } = useTranslation('app');
  const queries = useQueryClient();
  const [wish, setWish] = useState<Wish>(current ?? USUAL);
  const done = (message: string) => async () => {
    toast.success(message);
    onDone?.();
    await queries.invalidateQueries({ queryKey: [SUBSCRIPTIONS] });
  };
  const onError = (error: unknown) => toast.error(error);
  const save = useMutation({
    mutationFn: ({ kinds, silent_days, by_mail }: Wish) => {
      const body = { kinds, silent_days, by_mail };
      return current
        ? call(api.PATCH('/api/v1/subscriptions/{id}', { params: { path: { id: current.id } }, body }))
        : call(api.POST(SUBSCRIPTIONS, { body: { ...subject, ...body } }));
    },
    onSuccess: done(t('subscription.saved')),
    onError,
  });
  const stop = useMutation({
    mutationFn: (id: number) => call(api.DELETE('/api/v1/subscriptions/{id}', { params: { path: { id } } })),
    onSuccess: done(t('subscription.stopped')),
    onError,
  });
  const daysAreValid = Number.isInteger(wish.silent_days) && wish.silent_days >= 1 && wish.silent_days <= MOST_DAYS;
  return (
    <form
      noValidate
      className="flex flex-col items-start gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        if (daysAreValid) save.mutate(wish);
      }}
    >
      <fieldset className="flex flex-col gap-2">
        <legend className="pb-2 font-medium">{t('subscription.kinds')}</legend>
        {NOTIFICATION_KINDS.map((kind) => (
          <Checkbox
            key={kind}
            label={t(`notifications.kinds.${kind}`)}
            checked={wish.kinds.includes(kind)}
            onChange={({ target: { checked } }) =>
              setWish({
                ...wish,
                kinds: NOTIFICATION_KINDS.filter((each) => (each === kind ? checked : wish.kinds.includes(each))),
              })
            }
          />
        ))}
      </fieldset>
      {wish.kinds.includes('silent') && (
        <Field
          label={t('subscription.silentDays')}
          required
          error={daysAreValid ? undefined : t('subscription.silentDaysRange', { max: MOST_DAYS })}
        >
          {(props) => (
            <Input
              {...props}
              type="number"
              min={1}
              max={MOST_DAYS}
              value={Number.isNaN(wish.silent_days) ? '' : wish.silent_days}
              onChange={(event) => setWish({ ...wish, silent_days: event.target.valueAsNumber })}
            />
          )}
        </Field>
      )}
      <Checkbox
        label={t('subscription.byMail')}
        checked={wish.by_mail}
        onChange={(event) => setWish({ ...wish, by_mail: event.target.checked })}
      />
      <div className="flex flex-wrap gap-2">
        <Button type="submit" variant="primary" busy={save.isPending} disabled={wish.kinds.length === 0}>
          {current ? t('subscription.save') : t('subscription.start')}
        </Button>
        {current && (
          <Button busy={stop.isPending} onClick={() => stop.mutate(current.id)}>
            {t('subscription.stop')}
          </Button>
        )}
      </div>
    </form>
  );
}

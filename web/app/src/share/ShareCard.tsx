// Share links of a tracker or a run: make one (its address is shown once), see the ones there are, end one.
import { api, call } from '@tracker/shared/api/client.ts';
import type { ShareLink } from '@tracker/shared/api/schema.d.ts';
import { formatDate } from '@tracker/shared/i18n/format.ts';
import { useUser } from '@tracker/shared/session/useSession.ts';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { Card } from '@tracker/shared/ui/Card.tsx';
import { confirm } from '@tracker/shared/ui/confirm.tsx';
import { Field } from '@tracker/shared/ui/Field.tsx';
import { Input, Select } from '@tracker/shared/ui/Input.tsx';
import { Await } from '@tracker/shared/ui/states.tsx';
import { Time } from '@tracker/shared/ui/Time.tsx';
import { toast } from '@tracker/shared/ui/toast.tsx';
import { FormError } from '@tracker/shared/form/FormError.tsx';
import { submitting, useZodForm } from '@tracker/shared/form/form.ts';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Copy, Share2 } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import * as z from 'zod/mini';

/** What a link shows. */
export type Subject = { tracker_id: number } | { production_run_id: number };

const PATH = '/api/v1/share-links';
const DAY_MS = 86_400_000;
const LIFETIMES = ['7', '30', '90', ''] as const;

export function ShareCard({ subject }: { subject: Subject }) {
  const { t } = useTranslation('app');
  const [address, setAddress] = useState<string>();
  const mayChange = useUser().role !== 'user';
  const links = useQuery({
    queryKey: [PATH, subject],
    queryFn: ({ signal }) => call(api.GET(PATH, { params: { query: { ...idTexts(subject), limit: 100 } }, signal })),
  });
  return (
    <Card>
      <div className="flex flex-col gap-4">
        <p className="max-w-prose text-muted">{t('share.text')}</p>
        {mayChange && <NewLink subject={subject} onMade={setAddress} />}
        {address && <Address address={address} />}
        <Await query={links}>
          {({ items }) =>
            items.length === 0 ? (
              <p className="text-muted">{t('share.none')}</p>
            ) : (
              <ul className="divide-y divide-line border-t border-line">
                {items.map((link) => (
                  <LinkLine key={link.id} link={link} mayEnd={mayChange} />
                ))}
              </ul>
            )
          }
        </Await>
      </div>
    </Card>
  );
}

const schema = z.object({ name: z.string().check(z.trim(), z.maxLength(200)), days: z.enum(LIFETIMES) });

function NewLink({ subject, onMade }: { subject: Subject; onMade: (address: string) => void }) {
  const { t } = useTranslation('app');
  const queries = useQueryClient();
  const form = useZodForm(schema, { name: '', days: '30' });
  const { errors, isSubmitting } = form.formState;
  const submit = submitting(form, async ({ name, days }) => {
    const expires_at = days ? inDays(Number(days)) : null;
    const made = await call(api.POST(PATH, { body: { ...subject, name, expires_at } }));
    onMade(`${location.origin}/s/${made.token}`);
    form.reset();
    await queries.invalidateQueries({ queryKey: [PATH] });
  });
  return (
    <form
      noValidate
      className="grid items-start gap-3 sm:grid-cols-2"
      onSubmit={(event) => void form.handleSubmit(submit)(event)}
    >
      <Field label={t('share.name')} hint={t('share.nameHint')} error={errors.name?.message}>
        {(props) => <Input {...props} {...form.register('name')} maxLength={200} />}
      </Field>
      <Field label={t('share.lifetime')} required error={errors.days?.message}>
        {(props) => (
          <Select
            {...props}
            {...form.register('days')}
            options={LIFETIMES.map((days) => ({
              value: days,
              label: days ? t('share.days', { count: Number(days) }) : t('share.forEver'),
            }))}
          />
        )}
      </Field>
      <div className="sm:col-span-2">
        <FormError message={errors.root?.message} />
        <Button type="submit" variant="primary" busy={isSubmitting}>
          {t('share.make')}
        </Button>
      </div>
    </form>
  );
}

function inDays(days: number): string {
  return new Date(Date.now() + days * DAY_MS).toISOString();
}

/** A new link's address: the server keeps only its hash, so it cannot be shown again. */
function Address({ address }: { address: string }) {
  const { t } = useTranslation(['app', 'shared']);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(address);
      toast.success(t('share.copied'));
    } catch {
      toast.error(t('share.copyFailed'));
    }
  };
  return (
    <div role="status" className="flex flex-col gap-2 rounded-md bg-success-soft p-3">
      <p className="font-medium">{t('share.once')}</p>
      <Input readOnly value={address} aria-label={t('share.address')} onFocus={(event) => event.target.select()} />
      <div className="flex flex-wrap gap-2">
        <Button small onClick={() => void copy()}>
          <Copy aria-hidden className="size-4" />
          {t('shared:action.copy')}
        </Button>
        {'share' in navigator && (
          // The reader may think better of it in the system's dialog.
          <Button small onClick={() => void navigator.share({ url: address }).catch(() => undefined)}>
            <Share2 aria-hidden className="size-4" />
            {t('share.send')}
          </Button>
        )}
      </div>
    </div>
  );
}

function LinkLine({ link, mayEnd }: { link: ShareLink; mayEnd: boolean }) {
  const { t } = useTranslation('app');
  const queries = useQueryClient();
  const name = link.name || t('share.unnamed');
  const end = useMutation({
    mutationFn: () => call(api.DELETE('/api/v1/share-links/{id}', { params: { path: { id: link.id } } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: [PATH] }),
    onError: (error) => toast.error(error),
  });
  const ask = async () => {
    const sure = await confirm({
      title: t('share.endTitle', { name }),
      text: t('share.endText'),
      act: t('share.end'),
      danger: true,
    });
    if (sure) end.mutate();
  };
  return (
    <li className="flex flex-wrap items-center justify-between gap-2 py-2">
      <div className="min-w-0">
        <p className="font-medium break-words">{name}</p>
        <p className="text-xs text-muted">
          {link.expires_at ? t('share.until', { date: formatDate(link.expires_at) }) : t('share.forEver')}
          {' · '}
          {link.last_used_at ? (
            <>
              {t('share.used')} <Time value={link.last_used_at} />
            </>
          ) : (
            t('share.unused')
          )}
        </p>
      </div>
      {mayEnd && (
        <Button small busy={end.isPending} onClick={() => void ask()}>
          {t('share.end')}
        </Button>
      )}
    </li>
  );
}

/** The subject as the list's filter takes it. */
export function idTexts<T extends Record<string, number>>(subject: T): { [K in keyof T]: string } {
  return Object.fromEntries(Object.entries(subject).map(([name, id]) => [name, String(id)])) as {
    [K in keyof T]: string;
  };
}

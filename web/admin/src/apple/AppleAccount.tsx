// Apple accounts: signing in with the second factor, signing out, switching on and off.
import { api, call } from '@tracker/shared/api/client.ts';
import type { AppleAccount } from '@tracker/shared/api/schema.d.ts';
import { submitting, useZodForm } from '@tracker/shared/form/form.ts';
import { FormError } from '@tracker/shared/form/FormError.tsx';
import { Badge, type Tone } from '@tracker/shared/ui/Badge.tsx';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { Card } from '@tracker/shared/ui/Card.tsx';
import { Field } from '@tracker/shared/ui/Field.tsx';
import { Input } from '@tracker/shared/ui/Input.tsx';
import { Time } from '@tracker/shared/ui/Time.tsx';
import { toast } from '@tracker/shared/ui/toast.tsx';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import * as z from 'zod/mini';
import { useWord } from '../resource/cells';
import type { Row } from '../resource/spec';
import { isOver, TaskProgress, useTask } from '../tasks/TaskProgress';

const TONES: Record<AppleAccount['state'], Tone> = {
  signed_out: 'neutral',
  signing_in: 'info',
  second_factor: 'warning',
  ready: 'success',
  locked: 'danger',
  parked: 'warning',
  disabled: 'neutral',
};

type Act = 'sign-in' | 'sign-out' | 'enable' | 'disable';

/** Runs an act of an account; the id of its task, when it is one. */
function useAct() {
  const queries = useQueryClient();
  return async (run: () => Promise<unknown>): Promise<string | undefined> => {
    try {
      const answer = await run();
      await queries.invalidateQueries({ queryKey: ['/api/v1/apple-accounts'] });
      return answer && typeof answer === 'object' && 'task_id' in answer ? String(answer.task_id) : undefined;
    } catch (error) {
      toast.error(error);
      return undefined;
    }
  };
}

export function AppleAccountActions({ row }: { row: Row }) {
  const { t } = useTranslation('admin');
  const account = row as unknown as AppleAccount;
  const act = useAct();
  const params = { params: { path: { id: row.id } } };
  const calls: Record<Exclude<Act, 'sign-in'>, () => Promise<unknown>> = {
    'sign-out': () => call(api.POST('/api/v1/apple-accounts/{id}/sign-out', params)),
    enable: () => call(api.POST('/api/v1/apple-accounts/{id}/enable', params)),
    disable: () => call(api.POST('/api/v1/apple-accounts/{id}/disable', params)),
  };
  const offered: Exclude<Act, 'sign-in'>[] = account.state === 'disabled' ? ['enable'] : ['disable'];
  if (account.state === 'ready' || account.state === 'parked') offered.unshift('sign-out');
  return offered.map((name) => (
    <Button key={name} onClick={() => void act(calls[name])}>
      {t(`apple.${name}`)}
    </Button>
  ));
}

export function AppleAccountOverview({ row }: { row: Row }) {
  const { t } = useTranslation('admin');
  const word = useWord();
  const account = row as unknown as AppleAccount;
  const act = useAct();
  const queries = useQueryClient();
  const [taskId, setTaskId] = useState<string>();
  const task = useTask(taskId);
  const over = isOver(task.data);
  useEffect(() => {
    if (over) void queries.invalidateQueries({ queryKey: ['/api/v1/apple-accounts'] });
  }, [over, queries]);
  const path = { id: row.id };
  const start = async (run: () => Promise<unknown>) => setTaskId(await act(run));
  const busy = taskId !== undefined && !over;
  const canSignIn = ['signed_out', 'locked', 'parked', 'second_factor'].includes(account.state);
  return (
    <Card title={t('apple.signInTitle')}>
      <div className="flex flex-col gap-4">
        <div className="flex flex-wrap items-center gap-3">
          <Badge tone={TONES[account.state]}>{word(account.state)}</Badge>
          <span className="text-muted">
            <Time value={account.state_since} />
          </span>
          {account.state_reason && <span>{account.state_reason}</span>}
        </div>
        {task.data && <TaskProgress task={task.data} />}
        {canSignIn && (
          <Button
            variant={account.state === 'second_factor' ? 'plain' : 'primary'}
            className="self-start"
            busy={busy}
            onClick={() =>
              void start(() => call(api.POST('/api/v1/apple-accounts/{id}/sign-in', { params: { path } })))
            }
          >
            {t('apple.sign-in')}
          </Button>
        )}
        {account.state === 'second_factor' && <SecondFactor account={account} busy={busy} onStart={start} />}
      </div>
    </Card>
  );
}

interface SecondFactorProps {
  account: AppleAccount;
  busy: boolean;
  onStart: (run: () => Promise<unknown>) => Promise<void>;
}

/** What the server knows of the ways to a code. */
interface Ways {
  phones?: { id: number; number: string }[];
}

const codeSchema = z.object({ code: z.string().check(z.trim(), z.regex(/^\d{6}$/)) });

function SecondFactor({ account, busy, onStart }: SecondFactorProps) {
  const { t } = useTranslation('admin');
  const path = { id: account.id };
  const form = useZodForm(codeSchema, { code: '' });
  const { errors } = form.formState;
  const phones = (account.second_factor as Ways | null)?.phones ?? [];
  const ask = (body: { method: 'trusted_device' | 'sms' | 'phones'; phone_id?: number }) =>
    onStart(() => call(api.POST('/api/v1/apple-accounts/{id}/second-factor/request', { params: { path }, body })));
  const submit = submitting(form, async ({ code }) => {
    await onStart(() =>
      call(api.POST('/api/v1/apple-accounts/{id}/second-factor', { params: { path }, body: { code } })),
    );
    form.reset();
  });
  return (
    <div className="flex flex-col gap-3">
      <p>{t('apple.codeText')}</p>
      <div className="flex flex-wrap gap-2">
        <Button disabled={busy} onClick={() => void ask({ method: 'trusted_device' })}>
          {t('apple.trustedDevice')}
        </Button>
        {phones.length === 0 && (
          <Button disabled={busy} onClick={() => void ask({ method: 'phones' })}>
            {t('apple.phones')}
          </Button>
        )}
        {phones.map((phone) => (
          <Button key={phone.id} disabled={busy} onClick={() => void ask({ method: 'sms', phone_id: phone.id })}>
            {t('apple.sms', { number: phone.number })}
          </Button>
        ))}
      </div>
      <form
        noValidate
        className="flex max-w-xs flex-col gap-3"
        onSubmit={(event) => void form.handleSubmit(submit)(event)}
      >
        <Field label={t('apple.code')} required error={errors.code?.message}>
          {(control) => (
            <Input
              {...control}
              {...form.register('code')}
              inputMode="numeric"
              autoComplete="one-time-code"
              maxLength={6}
            />
          )}
        </Field>
        <FormError message={errors.root?.message} />
        <Button type="submit" variant="primary" busy={busy} className="self-start">
          {t('apple.sendCode')}
        </Button>
      </form>
    </div>
  );
}

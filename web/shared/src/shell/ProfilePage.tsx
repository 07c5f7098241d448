// The user's own account: name, language and time zone, password, sessions.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import * as z from 'zod/mini';
import { api, call } from '../api/client';
import type { Session as SessionRow } from '../api/schema';
import { submitting, useZodForm } from '../form/form';
import { FormError } from '../form/FormError';
import { isLanguage, languages, setLanguage } from '../i18n/i18n';
import { formatRelative } from '../i18n/format';
import { session } from '../session/session';
import { useUser } from '../session/useSession';
import { Badge } from '../ui/Badge';
import { Button } from '../ui/Button';
import { Card, PageHead } from '../ui/Card';
import { confirm } from '../ui/confirm';
import { Field } from '../ui/Field';
import { Input, Select } from '../ui/Input';
import { Await } from '../ui/states';
import { toast } from '../ui/toast';
import { newPassword } from './PasswordPages';

export function ProfilePage() {
  const { t } = useTranslation('shared');
  return (
    <div className="mx-auto flex max-w-3xl flex-col gap-4">
      <PageHead title={t('profile.title')} />
      <Person />
      <Password />
      <Sessions />
    </div>
  );
}

const person = z.object({
  name: z.string().check(z.trim(), z.minLength(1), z.maxLength(200)),
  language: z.string(),
  time_zone: z.string(),
});

function Person() {
  const { t } = useTranslation('shared');
  const user = useUser();
  const form = useZodForm(person, { name: user.name, language: user.language.slice(0, 2), time_zone: user.time_zone });
  const { errors, isSubmitting } = form.formState;
  const submit = submitting(form, async (values) => {
    const changed = await call(api.PATCH('/api/v1/users/me', { body: values }));
    session.setUser(changed);
    if (isLanguage(values.language)) await setLanguage(values.language);
    toast.success(t('profile.saved'));
  });
  const zones = Intl.supportedValuesOf('timeZone');
  const all = zones.includes(user.time_zone) ? zones : [user.time_zone, ...zones];
  return (
    <Card title={t('profile.title')}>
      <form noValidate className="flex flex-col gap-4" onSubmit={(event) => void form.handleSubmit(submit)(event)}>
        <Field label={t('profile.name')} required error={errors.name?.message}>
          {(props) => <Input {...props} {...form.register('name')} autoComplete="name" />}
        </Field>
        <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
          <dt className="text-muted">{t('profile.email')}</dt>
          <dd className="break-all">{user.email}</dd>
          <dt className="text-muted">{t('profile.role')}</dt>
          <dd>{t(`role.${user.role}`)}</dd>
        </dl>
        <Field label={t('profile.language')} required error={errors.language?.message}>
          {(props) => (
            <Select
              {...props}
              {...form.register('language')}
              options={Object.entries(languages).map(([value, label]) => ({ value, label }))}
            />
          )}
        </Field>
        <Field label={t('profile.timeZone')} required error={errors.time_zone?.message}>
          {(props) => (
            <Select
              {...props}
              {...form.register('time_zone')}
              options={all.map((zone) => ({ value: zone, label: zone }))}
            />
          )}
        </Field>
        <FormError message={errors.root?.message} />
        <Button type="submit" variant="primary" busy={isSubmitting} className="self-start">
          {t('action.save')}
        </Button>
      </form>
    </Card>
  );
}

const passwords = z.object({
  current_password: z.string().check(z.minLength(1), z.maxLength(1024)),
  new_password: newPassword,
});

function Password() {
  const { t } = useTranslation('shared');
  const queries = useQueryClient();
  const form = useZodForm(passwords, { current_password: '', new_password: '' });
  const { errors, isSubmitting } = form.formState;
  const submit = submitting(form, async (values) => {
    await call(api.POST('/api/v1/auth/password/change', { body: values }));
    form.reset();
    toast.success(t('profile.passwordChanged'));
    await queries.invalidateQueries({ queryKey: ['/api/v1/users/me/sessions'] });
  });
  return (
    <Card title={t('profile.password')}>
      <form noValidate className="flex flex-col gap-4" onSubmit={(event) => void form.handleSubmit(submit)(event)}>
        <Field label={t('profile.currentPassword')} required error={errors.current_password?.message}>
          {(props) => (
            <Input {...props} {...form.register('current_password')} type="password" autoComplete="current-password" />
          )}
        </Field>
        <Field label={t('profile.newPassword')} required error={errors.new_password?.message}>
          {(props) => (
            <Input {...props} {...form.register('new_password')} type="password" autoComplete="new-password" />
          )}
        </Field>
        <FormError message={errors.root?.message} />
        <Button type="submit" variant="primary" busy={isSubmitting} className="self-start">
          {t('profile.changePassword')}
        </Button>
      </form>
    </Card>
  );
}

function Sessions() {
  const { t } = useTranslation('shared');
  const sessions = useQuery({
    queryKey: ['/api/v1/users/me/sessions'],
    queryFn: ({ signal }) => call(api.GET('/api/v1/users/me/sessions', { signal })),
  });
  const end = useMutation({
    mutationFn: (id: number) => call(api.DELETE('/api/v1/users/me/sessions/{id}', { params: { path: { id } } })),
    onSuccess: () => sessions.refetch(),
    onError: (error) => toast.error(error),
  });
  const endAll = async () => {
    const sure = await confirm({
      title: t('profile.signOutEverywhere'),
      text: t('profile.signOutEverywhereText'),
      act: t('profile.signOutEverywhere'),
      danger: true,
    });
    if (sure) await session.signOut(true).catch((error: unknown) => toast.error(error));
  };
  return (
    <Card
      title={t('profile.sessions')}
      actions={
        <Button small onClick={() => void endAll()}>
          {t('profile.signOutEverywhere')}
        </Button>
      }
    >
      <p className="pb-2 text-muted">{t('profile.sessionsText')}</p>
      <Await query={sessions}>
        {(page) => (
          <ul className="divide-y divide-line">
            {page.items.map((row) => (
              <SessionLine key={row.id} row={row} onEnd={() => end.mutate(row.id)} busy={end.isPending} />
            ))}
          </ul>
        )}
      </Await>
    </Card>
  );
}

function SessionLine({ row, onEnd, busy }: { row: SessionRow; onEnd: () => void; busy: boolean }) {
  const { t } = useTranslation('shared');
  return (
    <li className="flex flex-wrap items-center justify-between gap-2 py-2">
      <div className="min-w-0">
        <p className="truncate">{row.user_agent || t('profile.unknownDevice')}</p>
        <p className="text-xs text-muted">
          {[row.address, t('profile.lastUsed', { time: formatRelative(row.last_used_at) })].filter(Boolean).join(' · ')}
        </p>
      </div>
      {row.current ? (
        <Badge tone="success">{t('profile.thisSession')}</Badge>
      ) : (
        <Button small onClick={onEnd} disabled={busy}>
          {t('profile.endSession')}
        </Button>
      )}
    </li>
  );
}

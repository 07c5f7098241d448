// Forgotten password: asking for a link, and choosing a new password with it (also how invited users choose their first).
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import * as z from 'zod/mini';
import { call, publicApi } from '../api/client';
import { ApiError } from '../api/problem';
import { showProblem, submitting, useZodForm } from '../form/form';
import { FormError } from '../form/FormError';
import { session } from '../session/session';
import { Button } from '../ui/Button';
import { Field } from '../ui/Field';
import { Input } from '../ui/Input';
import { toast } from '../ui/toast';
import { EntryLayout } from './EntryLayout';

/** As the API checks it; see NewPassword in the OpenAPI document. */
export const newPassword = z.string().check(z.minLength(10), z.maxLength(200));

const forgotten = z.object({ email: z.string().check(z.trim(), z.minLength(1), z.maxLength(254)) });

export function ForgotPasswordPage() {
  const { t } = useTranslation('shared');
  const [sentTo, setSentTo] = useState<string>();
  const form = useZodForm(forgotten, { email: '' });
  const { errors, isSubmitting } = form.formState;
  const submit = submitting(form, async ({ email }) => {
    await call(publicApi.POST('/api/v1/auth/password/forgot', { body: { email } }));
    setSentTo(email);
  });
  return (
    <EntryLayout title={t('forgot.title')}>
      {sentTo === undefined ? (
        <form noValidate className="flex flex-col gap-4" onSubmit={(event) => void form.handleSubmit(submit)(event)}>
          <p className="text-muted">{t('forgot.text')}</p>
          <Field label={t('signIn.email')} required error={errors.email?.message}>
            {(props) => <Input {...props} {...form.register('email')} type="email" autoComplete="username" />}
          </Field>
          <FormError message={errors.root?.message} />
          <Button type="submit" variant="primary" busy={isSubmitting}>
            {t('forgot.submit')}
          </Button>
        </form>
      ) : (
        <p role="status">{t('forgot.sent', { email: sentTo })}</p>
      )}
      <Link to="/" className="text-link underline">
        {t('forgot.back')}
      </Link>
    </EntryLayout>
  );
}

const chosen = z.object({ password: newPassword, repeat: z.string() });

/** The token stands behind the `#` of the link in the mail, so that no server or proxy sees it. */
function tokenFromAddress(): string {
  return new URLSearchParams(location.hash.slice(1)).get('token') ?? '';
}

export function ResetPasswordPage() {
  const { t } = useTranslation('shared');
  const [token] = useState(tokenFromAddress);
  const navigate = useNavigate();
  const form = useZodForm(chosen, { password: '', repeat: '' });
  const { errors, isSubmitting } = form.formState;

  const submit = form.handleSubmit(async ({ password, repeat }) => {
    if (password !== repeat) {
      form.setError('repeat', { message: t('reset.mismatch') });
      return;
    }
    try {
      const { application } = session;
      await call(
        publicApi.POST('/api/v1/auth/password/reset', {
          params: { query: { application } },
          body: { token, password },
        }),
      );
      toast.success(t('reset.done'));
      await navigate({ to: '/', replace: true });
    } catch (error) {
      const spent =
        error instanceof ApiError && error.status < 500 && error.errors.every((e) => e.field !== 'password');
      if (spent) form.setError('root', { message: t('reset.badLink') });
      else showProblem(form, error);
    }
  });

  return (
    <EntryLayout title={t('reset.title')}>
      <form noValidate className="flex flex-col gap-4" onSubmit={(event) => void submit(event)}>
        <Field label={t('reset.password')} required error={errors.password?.message}>
          {(props) => <Input {...props} {...form.register('password')} type="password" autoComplete="new-password" />}
        </Field>
        <Field label={t('reset.repeat')} required error={errors.repeat?.message}>
          {(props) => <Input {...props} {...form.register('repeat')} type="password" autoComplete="new-password" />}
        </Field>
        <FormError message={errors.root?.message} />
        <Button type="submit" variant="primary" busy={isSubmitting}>
          {t('reset.submit')}
        </Button>
      </form>
      <Link to="/forgot-password" className="text-link underline">
        {t('forgot.title')}
      </Link>
    </EntryLayout>
  );
}

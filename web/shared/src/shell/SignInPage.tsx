// Sign-in by email and password.
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import * as z from 'zod/mini';
import { ApiError } from '../api/problem';
import { errorText } from '../api/errorText';
import { useZodForm } from '../form/form';
import { FormError } from '../form/FormError';
import { session } from '../session/session';
import { Button } from '../ui/Button';
import { Field } from '../ui/Field';
import { Input } from '../ui/Input';
import { EntryLayout } from './EntryLayout';

const schema = z.object({
  email: z.string().check(z.trim(), z.minLength(1), z.maxLength(254)),
  password: z.string().check(z.minLength(1), z.maxLength(1024)),
});

export function SignInPage({ expired }: { expired: boolean }) {
  const { t } = useTranslation('shared');
  const form = useZodForm(schema, { email: '', password: '' });
  const { errors, isSubmitting } = form.formState;

  const submit = form.handleSubmit(async ({ email, password }) => {
    try {
      await session.signIn(email, password);
    } catch (error) {
      const wrong = error instanceof ApiError && error.status === 401;
      const tooMany = error instanceof ApiError && error.status === 429;
      const message = wrong ? t('signIn.wrong') : tooMany ? t('signIn.tooMany') : errorText(error);
      form.setError('root', { type: 'server', message });
    }
  });

  return (
    <EntryLayout title={t('signIn.title')}>
      {expired && <p className="rounded-md bg-info-soft px-3 py-2 text-info">{t('signIn.expired')}</p>}
      <form noValidate className="flex flex-col gap-4" onSubmit={(event) => void submit(event)}>
        <Field label={t('signIn.email')} required error={errors.email?.message}>
          {(props) => <Input {...props} {...form.register('email')} type="email" autoComplete="username" />}
        </Field>
        <Field label={t('signIn.password')} required error={errors.password?.message}>
          {(props) => (
            <Input {...props} {...form.register('password')} type="password" autoComplete="current-password" />
          )}
        </Field>
        <FormError message={errors.root?.message} />
        <Button type="submit" variant="primary" busy={isSubmitting}>
          {t('signIn.submit')}
        </Button>
      </form>
      <Link to="/forgot-password" className="text-link underline">
        {t('signIn.forgot')}
      </Link>
    </EntryLayout>
  );
}

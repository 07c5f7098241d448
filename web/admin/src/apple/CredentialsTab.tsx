// New credentials for an Apple account. The old ones are sealed on the server and never shown.
import { api, call } from '@tracker/shared/api/client.ts';
import { submitting, useZodForm } from '@tracker/shared/form/form.ts';
import { FormError } from '@tracker/shared/form/FormError.tsx';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { Card } from '@tracker/shared/ui/Card.tsx';
import { Field } from '@tracker/shared/ui/Field.tsx';
import { Input } from '@tracker/shared/ui/Input.tsx';
import { toast } from '@tracker/shared/ui/toast.tsx';
import { useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import * as z from 'zod/mini';
import type { Row } from '../resource/spec';

const schema = z.object({
  username: z.string().check(z.trim(), z.minLength(1), z.maxLength(254)),
  password: z.string().check(z.minLength(1), z.maxLength(512)),
});

export function CredentialsTab({ row }: { row: Row }) {
  const { t } = useTranslation(['admin', 'shared']);
  const queries = useQueryClient();
  const form = useZodForm(schema, { username: '', password: '' });
  const { errors, isSubmitting } = form.formState;
  const submit = submitting(form, async (body) => {
    await call(api.PUT('/api/v1/apple-accounts/{id}/credentials', { params: { path: { id: row.id } }, body }));
    form.reset();
    toast.success(t('apple.credentialsSaved'));
    await queries.invalidateQueries({ queryKey: ['/api/v1/apple-accounts'] });
  });
  return (
    <Card title={t('tab.credentials')}>
      <form
        noValidate
        className="flex max-w-md flex-col gap-4"
        onSubmit={(event) => void form.handleSubmit(submit)(event)}
      >
        <p className="text-muted">{t('apple.credentialsText')}</p>
        <Field label={t('field.username')} required error={errors.username?.message}>
          {(control) => <Input {...control} {...form.register('username')} autoComplete="off" />}
        </Field>
        <Field label={t('field.password')} required error={errors.password?.message}>
          {(control) => (
            <Input {...control} {...form.register('password')} type="password" autoComplete="new-password" />
          )}
        </Field>
        <FormError message={errors.root?.message} />
        <Button type="submit" variant="primary" busy={isSubmitting} className="self-start">
          {t('shared:action.save')}
        </Button>
      </form>
    </Card>
  );
}

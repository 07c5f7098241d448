// Makes trackers with new keys and offers the file for the manufacturer: public keys only.
import { api, call } from '@tracker/shared/api/client.ts';
import type { TrackersMade } from '@tracker/shared/api/schema.d.ts';
import { useZodForm } from '@tracker/shared/form/form.ts';
import { FormDialog } from '@tracker/shared/form/FormDialog.tsx';
import { csvLine, download } from '@tracker/shared/table/csv.ts';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { Dialog } from '@tracker/shared/ui/Dialog.tsx';
import { Field } from '@tracker/shared/ui/Field.tsx';
import { Input } from '@tracker/shared/ui/Input.tsx';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useWatch } from 'react-hook-form';
import { useTranslation } from 'react-i18next';
import * as z from 'zod/mini';
import { OwnerFields } from './OwnerFields';

const MOST = 10_000;

const schema = z.object({
  client_id: z.string().check(z.minLength(1)),
  production_run_id: z.string(),
  name_prefix: z.string().check(z.trim(), z.minLength(1), z.maxLength(150)),
  count: z
    .string()
    .check(z.refine((text) => Number.isInteger(Number(text)) && Number(text) >= 1 && Number(text) <= MOST)),
});

export function GenerateDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation(['admin', 'shared']);
  const queries = useQueryClient();
  const [made, setMade] = useState<TrackersMade['items']>();
  const form = useZodForm(schema, { client_id: '', production_run_id: '', name_prefix: '', count: '10' });
  const owner = useWatch({ control: form.control });
  const { errors } = form.formState;
  const submit = async (values: z.infer<typeof schema>) => {
    const body = {
      client_id: Number(values.client_id),
      ...(values.production_run_id ? { production_run_id: Number(values.production_run_id) } : {}),
      name_prefix: values.name_prefix,
      count: Number(values.count),
    };
    const { items } = await call(api.POST('/api/v1/trackers/generate', { body }));
    setMade(items);
    await queries.invalidateQueries({ queryKey: ['/api/v1/trackers'] });
  };
  if (made) return <Made items={made} onClose={onClose} />;
  return (
    <FormDialog
      form={form}
      title={t('generate.open')}
      description={t('generate.text')}
      act={t('generate.make')}
      onSubmit={submit}
      onClose={onClose}
    >
      <OwnerFields
        client={owner.client_id ?? ''}
        run={owner.production_run_id ?? ''}
        onChange={(client, run) => {
          form.setValue('client_id', client, { shouldValidate: true, shouldDirty: true });
          form.setValue('production_run_id', run, { shouldDirty: true });
        }}
        error={errors.client_id?.message ?? errors.production_run_id?.message}
      />
      <Field label={t('generate.prefix')} required error={errors.name_prefix?.message} hint={t('generate.prefixHint')}>
        {(control) => <Input {...control} {...form.register('name_prefix')} />}
      </Field>
      <Field label={t('generate.count')} required error={errors.count?.message}>
        {(control) => <Input {...control} {...form.register('count')} type="number" min={1} max={MOST} />}
      </Field>
    </FormDialog>
  );
}

const COLUMNS = ['name', 'mac_address', 'advertisement_key', 'hashed_advertisement_key'] as const;

function Made({ items, onClose }: { items: TrackersMade['items']; onClose: () => void }) {
  const { t } = useTranslation(['admin', 'shared']);
  const save = () =>
    download('tracker-public-keys.csv', [
      csvLine([...COLUMNS]),
      ...items.map((item) => csvLine(COLUMNS.map((name) => item[name]))),
    ]);
  return (
    <Dialog
      open
      title={t('generate.done', { count: items.length })}
      description={t('generate.doneText')}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t('shared:action.close')}</Button>
          <Button variant="primary" onClick={save}>
            {t('generate.download')}
          </Button>
        </>
      }
    />
  );
}

// Creates or edits a row in a dialog made from the resource's fields.
import { asText } from './asText';
import { request } from '@tracker/shared/api/client.ts';
import { submitting, useZodForm } from '@tracker/shared/form/form.ts';
import { FormError } from '@tracker/shared/form/FormError.tsx';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { confirm } from '@tracker/shared/ui/confirm.tsx';
import { Dialog } from '@tracker/shared/ui/Dialog.tsx';
import { Await } from '@tracker/shared/ui/states.tsx';
import { toast } from '@tracker/shared/ui/toast.tsx';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useId, useMemo } from 'react';
import { Controller, useWatch } from 'react-hook-form';
import { useTranslation } from 'react-i18next';
import { FieldControl } from './FieldControl';
import { createBody, firstValues, formSchema, patchBody, type FormValues } from './formValues';
import { inForm, listPath, rowTitle, type FormProps, type Row } from './spec';

export function ResourceForm(props: FormProps) {
  const { spec, row, onClose } = props;
  const { t } = useTranslation('admin');
  const title = row
    ? t('form.edit', { name: rowTitle(spec, row) })
    : t('form.create', { what: t(`resource.${spec.name}.one`) });
  // Edited is what the server has now, with its version, not what a list showed a while ago.
  const fresh = useQuery({
    queryKey: [listPath(spec), 'edit', row?.id],
    enabled: row !== undefined,
    gcTime: 0,
    staleTime: Infinity,
    queryFn: () => request<Row>('GET', `${listPath(spec)}/${row?.id}`),
  });
  if (!row) return <FormDialog {...props} title={title} etag={null} />;
  if (fresh.data) return <FormDialog {...props} title={title} row={fresh.data.data} etag={fresh.data.etag} />;
  return (
    <Dialog open title={title} onClose={onClose}>
      <Await query={fresh}>{() => null}</Await>
    </Dialog>
  );
}

function FormDialog({
  spec,
  row,
  initial = {},
  onDone,
  onClose,
  title,
  etag,
}: FormProps & { title: string; etag: string | null }) {
  const { t } = useTranslation(['admin', 'shared']);
  const queries = useQueryClient();
  const formId = useId();
  const mode = row ? 'edit' : 'create';
  const fields = spec.fields.filter((field) => inForm(field, mode));
  const before = useMemo(() => firstValues(spec.fields, row, initial), [spec, row, initial]);
  const form = useZodForm<FormValues>(formSchema(spec.fields, mode), before);
  const values = useWatch({ control: form.control });
  const { errors, isSubmitting, isDirty } = form.formState;

  const submit = submitting(form, async (next) => {
    const saved = row
      ? await request<Row>(
          'PATCH',
          `${listPath(spec)}/${row.id}`,
          patchBody(spec.fields, before, next),
          etag ? { 'If-Match': etag } : {},
        )
      : await request<Row>('POST', listPath(spec), createBody(spec.fields, next));
    await queries.invalidateQueries({ queryKey: [listPath(spec)] });
    toast.success(t('form.saved', { name: rowTitle(spec, saved.data) }));
    onDone(saved.data);
  });

  const close = async () => {
    const question = {
      title: t('shared:confirm.unsavedTitle'),
      text: t('shared:confirm.unsavedText'),
      act: t('shared:confirm.leave'),
    };
    if (!isDirty || (await confirm({ ...question, danger: true }))) onClose();
  };

  return (
    <Dialog
      open
      title={title}
      onClose={() => void close()}
      footer={
        <>
          <Button onClick={() => void close()}>{t('shared:action.cancel')}</Button>
          <Button variant="primary" type="submit" form={formId} busy={isSubmitting}>
            {t('shared:action.save')}
          </Button>
        </>
      }
    >
      <form
        id={formId}
        noValidate
        className="flex flex-col gap-4"
        onSubmit={(event) => void form.handleSubmit(submit)(event)}
      >
        {fields.map((field) => {
          const within = field.within ? (values[field.within] ?? row?.[field.within]) : undefined;
          const filter = field.within && within ? { filter: { [field.within]: asText(within) } } : {};
          return (
            <Controller
              key={field.name}
              control={form.control}
              name={field.name}
              render={({ field: { value, onChange } }) => (
                <FieldControl
                  field={field}
                  value={value}
                  onChange={onChange}
                  error={errors[field.name]?.message}
                  {...filter}
                />
              )}
            />
          );
        })}
        <FormError message={errors.root?.message} />
      </form>
    </Dialog>
  );
}

// The form of a row: its fields and first values, and saving it as a new row or as a change of the one that was loaded.
import { request } from '@tracker/shared/api/client.ts';
import { useZodForm } from '@tracker/shared/form/form.ts';
import { toast } from '@tracker/shared/ui/toast.tsx';
import { useQueryClient } from '@tanstack/react-query';
import { useMemo } from 'react';
import type { UseFormReturn } from 'react-hook-form';
import { useTranslation } from 'react-i18next';
import { createBody, firstValues, formSchema, patchBody, type FormValues } from './formValues';
import { inForm, listPath, rowTitle, type FieldSpec, type FormProps, type Row } from './spec';

export interface RowForm {
  form: UseFormReturn<FormValues, unknown, FormValues>;
  fields: FieldSpec[];
  title: string;
  /** Saves what was typed together with `more`, which is no field of the form. Throws what the server refuses. */
  save: (values: FormValues, more?: Record<string, unknown>) => Promise<void>;
}

export function useRowForm({ spec, row, etag, initial = {}, onDone }: FormProps): RowForm {
  const { t } = useTranslation('admin');
  const queries = useQueryClient();
  const mode = row ? 'edit' : 'create';
  const before = useMemo(() => firstValues(spec.fields, row, initial), [spec, row, initial]);
  const form = useZodForm<FormValues>(formSchema(spec.fields, mode), before);
  const save = async (values: FormValues, more: Record<string, unknown> = {}) => {
    const path = listPath(spec);
    const { data } = row
      ? await request<Row>(
          'PATCH',
          `${path}/${row.id}`,
          { ...patchBody(spec.fields, before, values), ...more },
          etag ? { 'If-Match': etag } : {},
        )
      : await request<Row>('POST', path, { ...createBody(spec.fields, values), ...more });
    await queries.invalidateQueries({ queryKey: [path] });
    toast.success(t('form.saved', { name: rowTitle(spec, data) }));
    onDone(data);
  };
  return {
    form,
    fields: spec.fields.filter((field) => inForm(field, mode)),
    title: row
      ? t('form.edit', { name: rowTitle(spec, row) })
      : t('form.create', { what: t(`resource.${spec.name}.one`) }),
    save,
  };
}

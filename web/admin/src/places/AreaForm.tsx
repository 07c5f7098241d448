// Creates or edits an exclusion area: its fields and a polygon drawn on the map.
import { request } from '@tracker/shared/api/client.ts';
import type { ExclusionArea, Polygon } from '@tracker/shared/api/schema.d.ts';
import { submitting, useZodForm } from '@tracker/shared/form/form.ts';
import { FormError } from '@tracker/shared/form/FormError.tsx';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { Dialog } from '@tracker/shared/ui/Dialog.tsx';
import { Loading } from '@tracker/shared/ui/states.tsx';
import { toast } from '@tracker/shared/ui/toast.tsx';
import { useQueryClient } from '@tanstack/react-query';
import { lazy, Suspense, useId, useMemo, useState } from 'react';
import { Controller, useWatch } from 'react-hook-form';
import { useTranslation } from 'react-i18next';
import { asText } from '../resource/asText';
import { FieldControl } from '../resource/FieldControl';
import { createBody, firstValues, formSchema, patchBody, type FormValues } from '../resource/formValues';
import { inForm, listPath, rowTitle, type FormProps, type Row } from '../resource/spec';
import type { Shape } from './shape';

const ShapeMap = lazy(() => import('./ShapeMap').then((module) => ({ default: module.ShapeMap })));

/** An area of several pieces is edited through the API; the map edits single polygons. */
export function polygonOf(area: ExclusionArea | undefined): Polygon | undefined {
  return area?.area.type === 'Polygon' ? area.area : undefined;
}

export function AreaForm({ spec, row, initial = {}, onDone, onClose }: FormProps) {
  const { t } = useTranslation(['admin', 'shared']);
  const queries = useQueryClient();
  const formId = useId();
  const mode = row ? 'edit' : 'create';
  const fields = spec.fields.filter((field) => inForm(field, mode));
  const before = useMemo(() => firstValues(spec.fields, row, initial), [spec, row, initial]);
  const form = useZodForm<FormValues>(formSchema(spec.fields, mode), before);
  const values = useWatch({ control: form.control });
  const { errors, isSubmitting } = form.formState;
  const [shape, setShape] = useState<Shape>({
    kind: 'polygon',
    polygon: polygonOf(row as unknown as ExclusionArea | undefined),
  });
  const area = shape.kind === 'polygon' ? shape.polygon : undefined;

  const submit = submitting(form, async (next) => {
    const fieldsBody = row ? patchBody(spec.fields, before, next) : createBody(spec.fields, next);
    const body = { ...fieldsBody, ...(area ? { area } : {}) };
    const path = row ? `${listPath(spec)}/${row.id}` : listPath(spec);
    const { data } = await request<Row>(row ? 'PATCH' : 'POST', path, body);
    await queries.invalidateQueries({ queryKey: [listPath(spec)] });
    toast.success(t('form.saved', { name: rowTitle(spec, data) }));
    onDone(data);
  });

  const title = row
    ? t('form.edit', { name: rowTitle(spec, row) })
    : t('form.create', { what: t(`resource.${spec.name}.one`) });
  return (
    <Dialog
      open
      wide
      title={title}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{t('shared:action.cancel')}</Button>
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
        {fields.map((field) => (
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
                {...(field.within && values[field.within]
                  ? { filter: { [field.within]: asText(values[field.within]) } }
                  : {})}
              />
            )}
          />
        ))}
        <p className="text-xs text-muted">{t('place.polygonHint')}</p>
        <Suspense fallback={<Loading />}>
          <ShapeMap label={t('place.shape')} shape={shape} onChange={setShape} />
        </Suspense>
        <FormError message={errors.root?.message} />
      </form>
    </Dialog>
  );
}

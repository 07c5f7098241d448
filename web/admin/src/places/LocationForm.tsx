// Creates or edits a place: its fields, its shape on the map, and what a changed shape would do before it is saved.
import { request } from '@tracker/shared/api/client.ts';
import type { DeliveryLocation } from '@tracker/shared/api/schema.d.ts';
import { submitting, useZodForm } from '@tracker/shared/form/form.ts';
import { FormError } from '@tracker/shared/form/FormError.tsx';
import type { Bounds } from '@tracker/shared/map/geometry.ts';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { Dialog } from '@tracker/shared/ui/Dialog.tsx';
import { Field } from '@tracker/shared/ui/Field.tsx';
import { Input, Select } from '@tracker/shared/ui/Input.tsx';
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
import { AddressSearch } from './AddressSearch';
import { EdgePreview } from './EdgePreview';
import { isComplete, RADIUS, roundRadius, shapeBody, shapeOf, type Shape } from './shape';

const ShapeMap = lazy(() => import('./ShapeMap').then((module) => ({ default: module.ShapeMap })));
/** A found address is shown with its surroundings. */
const AROUND_DEG = 0.01;

export function LocationForm({ spec, row, initial = {}, onDone, onClose }: FormProps) {
  const { t } = useTranslation(['admin', 'shared']);
  const queries = useQueryClient();
  const formId = useId();
  const mode = row ? 'edit' : 'create';
  const fields = spec.fields.filter((field) => inForm(field, mode));
  const before = useMemo(() => firstValues(spec.fields, row, initial), [spec, row, initial]);
  const form = useZodForm<FormValues>(formSchema(spec.fields, mode), before);
  const address = useWatch({ control: form.control, name: 'address' });
  const { errors, isSubmitting } = form.formState;
  const [first] = useState(() => shapeOf(row as unknown as DeliveryLocation | undefined));
  const [shape, setShape] = useState<Shape>(first);
  const [target, setTarget] = useState<Bounds>();
  const [effective, setEffective] = useState('correction');
  const reshaped = JSON.stringify(shape) !== JSON.stringify(first);
  const when = effective === 'from' ? { effective: 'from', effective_from: new Date().toISOString() } : { effective };

  const submit = submitting(form, async (values) => {
    // Without a shape the server looks the address up.
    const drawn = isComplete(shape) && (reshaped || !row) ? shapeBody(shape) : {};
    const body = row
      ? { ...patchBody(spec.fields, before, values), ...drawn, ...(reshaped ? when : {}) }
      : { ...createBody(spec.fields, values), ...drawn };
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
              <FieldControl field={field} value={value} onChange={onChange} error={errors[field.name]?.message} />
            )}
          />
        ))}
        <fieldset className="flex flex-col gap-3">
          <legend className="pb-1 font-medium">{t('place.shape')}</legend>
          <AddressSearch
            initial={asText(address)}
            onPick={({ position }) => {
              const { latitude, longitude } = position;
              setTarget([longitude - AROUND_DEG, latitude - AROUND_DEG, longitude + AROUND_DEG, latitude + AROUND_DEG]);
              if (shape.kind === 'circle') setShape({ ...shape, center: position });
            }}
          />
          <ShapeControls shape={shape} onChange={setShape} />
          <p className="text-xs text-muted">{t(shape.kind === 'circle' ? 'place.circleHint' : 'place.polygonHint')}</p>
          <Suspense fallback={<Loading />}>
            <ShapeMap key={shape.kind} label={t('place.shape')} shape={shape} onChange={setShape} target={target} />
          </Suspense>
          {row && reshaped && (
            <>
              <Field label={t('place.effective')} required hint={t('place.effectiveHint')}>
                {(control) => (
                  <Select
                    {...control}
                    value={effective}
                    onChange={(event) => setEffective(event.target.value)}
                    options={(['correction', 'from'] as const).map((value) => ({ value, label: t(`place.${value}`) }))}
                  />
                )}
              </Field>
              {isComplete(shape) && <EdgePreview spec={spec} id={row.id} body={{ ...shapeBody(shape), ...when }} />}
            </>
          )}
        </fieldset>
        <FormError message={errors.root?.message} />
      </form>
    </Dialog>
  );
}

function ShapeControls({ shape, onChange }: { shape: Shape; onChange: (shape: Shape) => void }) {
  const { t } = useTranslation('admin');
  const switchTo = (kind: string) =>
    onChange(
      kind === 'polygon'
        ? { kind: 'polygon', polygon: undefined }
        : { kind: 'circle', center: undefined, radius: RADIUS.usual },
    );
  return (
    <div className="flex flex-wrap items-end gap-4">
      <Field label={t('place.kind')} required>
        {(control) => (
          <Select
            {...control}
            className="w-40"
            value={shape.kind}
            onChange={(event) => switchTo(event.target.value)}
            options={(['circle', 'polygon'] as const).map((value) => ({ value, label: t(`place.${value}`) }))}
          />
        )}
      </Field>
      {shape.kind === 'circle' && (
        <Field label={t('field.radius_m')} required>
          {(control) => (
            <Input
              {...control}
              className="w-32"
              type="number"
              min={RADIUS.min}
              max={RADIUS.max}
              step={RADIUS.step}
              value={shape.radius}
              onChange={(event) => onChange({ ...shape, radius: Number(event.target.value) })}
              onBlur={() => onChange({ ...shape, radius: roundRadius(shape.radius) })}
            />
          )}
        </Field>
      )}
      {shape.kind === 'polygon' && shape.polygon && (
        <Button onClick={() => onChange({ kind: 'circle', center: undefined, radius: RADIUS.usual })}>
          {t('place.again')}
        </Button>
      )}
    </div>
  );
}

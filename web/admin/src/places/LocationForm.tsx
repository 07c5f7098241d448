// Creates or edits a place: its fields, its shape on the map, and what a changed shape would do before it is saved.
import type { DeliveryLocation } from '@tracker/shared/api/schema.d.ts';
import { FormDialog } from '@tracker/shared/form/FormDialog.tsx';
import type { Bounds, LatLng } from '@tracker/shared/map/geometry.ts';
import { Field } from '@tracker/shared/ui/Field.tsx';
import { Select } from '@tracker/shared/ui/Input.tsx';
import { useState } from 'react';
import { useWatch } from 'react-hook-form';
import { useTranslation } from 'react-i18next';
import { asText } from '../resource/asText';
import { RowFields } from '../resource/RowFields';
import type { FormProps } from '../resource/spec';
import { useRowForm } from '../resource/useRowForm';
import { AddressSearch } from './AddressSearch';
import { EdgePreview } from './EdgePreview';
import { isComplete, shapeBody, shapeOf, type Shape } from './shape';
import { ShapeEditor } from './ShapeEditor';

/** A found address is shown with its surroundings. */
const AROUND_DEG = 0.01;

function around({ latitude, longitude }: LatLng): Bounds {
  return [longitude - AROUND_DEG, latitude - AROUND_DEG, longitude + AROUND_DEG, latitude + AROUND_DEG];
}

export function LocationForm(props: FormProps) {
  const { spec, row, onClose, onReload } = props;
  const { t } = useTranslation('admin');
  const { form, fields, title, save } = useRowForm(props);
  const { address, client_id } = useWatch({ control: form.control });
  const [first] = useState(() => shapeOf(row as unknown as DeliveryLocation | undefined));
  const [shape, setShape] = useState<Shape>(first);
  const [target, setTarget] = useState<Bounds>();
  const [effective, setEffective] = useState('correction');
  const reshaped = JSON.stringify(shape) !== JSON.stringify(first);
  const when = effective === 'from' ? { effective: 'from', effective_from: new Date().toISOString() } : { effective };
  const client = asText(row?.client_id ?? client_id);
  return (
    <FormDialog
      form={form}
      wide
      title={title}
      changed={reshaped}
      onSubmit={(values) => {
        // Without a shape the server looks the address up.
        const drawn = isComplete(shape) && (reshaped || !row) ? shapeBody(shape) : {};
        return save(values, { ...drawn, ...(row && reshaped ? when : {}) });
      }}
      onClose={onClose}
      onReload={onReload}
    >
      <RowFields form={form} fields={fields} row={row} />
      <fieldset className="flex flex-col gap-3">
        <legend className="pb-1 font-medium">{t('place.shape')}</legend>
        <AddressSearch
          initial={asText(address)}
          onPick={({ position }) => {
            setTarget(around(position));
            if (shape.kind === 'circle') setShape({ ...shape, center: position });
          }}
        />
        <ShapeEditor
          shape={shape}
          onChange={setShape}
          target={target}
          whose={client ? { client_id: client } : undefined}
        />
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
            {isComplete(shape) && (
              // What was said of another shape does not hold for this one.
              <EdgePreview
                key={JSON.stringify([shape, effective])}
                spec={spec}
                id={row.id}
                body={{ ...shapeBody(shape), ...when }}
              />
            )}
          </>
        )}
      </fieldset>
    </FormDialog>
  );
}

// Creates or edits an exclusion area: its fields and the polygons drawn on the map.
import type { ExclusionArea } from '@tracker/shared/api/schema.d.ts';
import { FormDialog } from '@tracker/shared/form/FormDialog.tsx';
import { useState } from 'react';
import { useWatch } from 'react-hook-form';
import { useTranslation } from 'react-i18next';
import { asText } from '../resource/asText';
import { RowFields } from '../resource/RowFields';
import type { FormProps, Row } from '../resource/spec';
import { useRowForm } from '../resource/useRowForm';
import { areaOf, piecesOf, type Shape } from './shape';
import { ShapeEditor } from './ShapeEditor';
import type { Whose } from './useNearby';

export function AreaForm(props: FormProps) {
  const { row, onClose, onReload } = props;
  const { t } = useTranslation('admin');
  const { form, fields, title, save } = useRowForm(props);
  const values = useWatch({ control: form.control });
  const [first] = useState<Shape>(() => ({
    kind: 'polygon',
    pieces: piecesOf((row as unknown as ExclusionArea | undefined)?.area),
  }));
  const [shape, setShape] = useState<Shape>(first);
  const area = shape.kind === 'polygon' ? areaOf(shape.pieces) : undefined;
  const reshaped = JSON.stringify(shape) !== JSON.stringify(first);
  return (
    <FormDialog
      form={form}
      wide
      title={title}
      changed={reshaped}
      onSubmit={(next) => save(next, area && reshaped ? { area } : {})}
      onClose={onClose}
      onReload={onReload}
    >
      <RowFields form={form} fields={fields} row={row} />
      <fieldset className="flex flex-col gap-3">
        <legend className="pb-1 font-medium">{t('place.shape')}</legend>
        <ShapeEditor area shape={shape} onChange={setShape} whose={whoseOf(row ?? values)} />
      </fieldset>
    </FormDialog>
  );
}

/** Whom an area counts for; without a client it counts for all. */
export function whoseOf({ client_id, production_run_id }: Partial<Row>): Whose {
  const [client, run] = [asText(client_id), asText(production_run_id)];
  return { ...(client ? { client_id: client } : {}), ...(run ? { production_run_id: run } : {}) };
}

// Sets the shape of a place or an area: circle or polygon, its measures, the map, and who is inside it now.
import type { Bounds } from '@tracker/shared/map/geometry.ts';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { Field } from '@tracker/shared/ui/Field.tsx';
import { Input, Select } from '@tracker/shared/ui/Input.tsx';
import { Loading } from '@tracker/shared/ui/states.tsx';
import { lazy, Suspense, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { InsideCount } from './InsideCount';
import { isComplete, RADIUS, roundRadius, type Shape } from './shape';
import { useNearby, type Whose } from './useNearby';

const ShapeMap = lazy(() => import('./ShapeMap').then((module) => ({ default: module.ShapeMap })));

interface ShapeEditorProps {
  shape: Shape;
  onChange: (shape: Shape) => void;
  /** An exclusion area: polygons only, any number of them. */
  area?: boolean;
  target?: Bounds | undefined;
  whose: Whose | undefined;
}

const emptyCircle: Shape = { kind: 'circle', center: undefined, radius: RADIUS.usual };
const emptyPolygon: Shape = { kind: 'polygon', pieces: [] };

export function ShapeEditor({ shape, onChange, area = false, target, whose }: ShapeEditorProps) {
  const { t } = useTranslation('admin');
  const nearby = useNearby(shape, whose);
  const [adding, setAdding] = useState(false);
  // A shape that is drawn anew needs a pen that knows nothing of the old one.
  const [started, setStarted] = useState(0);
  const restart = (next: Shape) => {
    setAdding(false);
    setStarted(started + 1);
    onChange(next);
  };
  const hint = shape.kind === 'circle' ? 'circleHint' : area ? 'areaHint' : 'polygonHint';
  return (
    <>
      <div className="flex flex-wrap items-end gap-4">
        {!area && (
          <Field label={t('place.kind')} required>
            {(control) => (
              <Select
                {...control}
                className="w-40"
                value={shape.kind}
                onChange={({ target: { value } }) => restart(value === 'polygon' ? emptyPolygon : emptyCircle)}
                options={(['circle', 'polygon'] as const).map((value) => ({ value, label: t(`place.${value}`) }))}
              />
            )}
          </Field>
        )}
        {shape.kind === 'circle' && <Radius shape={shape} onChange={onChange} />}
        {shape.kind === 'polygon' && shape.pieces.length > 0 && (
          <>
            {area && (
              <Button aria-pressed={adding} onClick={() => setAdding(true)}>
                {t('place.addPiece')}
              </Button>
            )}
            <Button onClick={() => restart(emptyPolygon)}>{t('place.again')}</Button>
          </>
        )}
      </div>
      <p className="text-xs text-muted">{t(`place.${hint}`)}</p>
      <Suspense fallback={<Loading />}>
        <ShapeMap
          key={`${shape.kind}${started}`}
          label={t('place.shape')}
          shape={shape}
          adding={adding}
          onChange={(next) => {
            setAdding(false);
            onChange(next);
          }}
          target={target}
          trackers={nearby?.around}
        />
      </Suspense>
      {isComplete(shape) && <InsideCount nearby={nearby} />}
    </>
  );
}

interface RadiusProps {
  shape: Extract<Shape, { kind: 'circle' }>;
  onChange: (shape: Shape) => void;
}

function Radius({ shape, onChange }: RadiusProps) {
  const { t } = useTranslation('admin');
  return (
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
  );
}

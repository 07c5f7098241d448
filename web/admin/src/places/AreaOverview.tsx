// An exclusion area on the map, with the trackers around it.
import type { ExclusionArea } from '@tracker/shared/api/schema.d.ts';
import { Loading } from '@tracker/shared/ui/states.tsx';
import { lazy, Suspense } from 'react';
import type { Row } from '../resource/spec';
import { whoseOf } from './AreaForm';
import { InsideCount } from './InsideCount';
import { piecesOf, type Shape } from './shape';
import { useNearby } from './useNearby';

const ShapeMap = lazy(() => import('./ShapeMap').then((module) => ({ default: module.ShapeMap })));

export function AreaOverview({ row }: { row: Row }) {
  const area = row as unknown as ExclusionArea;
  const shape: Shape = { kind: 'polygon', pieces: piecesOf(area.area) };
  const nearby = useNearby(shape, whoseOf(row));
  return (
    <div className="flex flex-col gap-2">
      <Suspense fallback={<Loading />}>
        <ShapeMap key={area.updated_at} label={area.name} shape={shape} trackers={nearby?.around} />
      </Suspense>
      <InsideCount nearby={nearby} />
    </div>
  );
}

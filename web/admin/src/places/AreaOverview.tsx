// An exclusion area on the map.
import type { ExclusionArea } from '@tracker/shared/api/schema.d.ts';
import { Loading } from '@tracker/shared/ui/states.tsx';
import { lazy, Suspense } from 'react';
import type { Row } from '../resource/spec';
import { polygonOf } from './AreaForm';

const ShapeMap = lazy(() => import('./ShapeMap').then((module) => ({ default: module.ShapeMap })));

export function AreaOverview({ row }: { row: Row }) {
  const area = row as unknown as ExclusionArea;
  const polygon = polygonOf(area);
  if (!polygon) return null;
  return (
    <Suspense fallback={<Loading />}>
      <ShapeMap key={area.updated_at} label={area.name} shape={{ kind: 'polygon', polygon }} />
    </Suspense>
  );
}

// How many trackers are inside a shape by their newest positions.
import { useTranslation } from 'react-i18next';
import type { Nearby } from './useNearby';

export function InsideCount({ nearby }: { nearby: Nearby | undefined }) {
  const { t } = useTranslation('admin');
  if (!nearby) return null;
  return <p role="status">{t(nearby.more ? 'place.insideMore' : 'place.inside', { count: nearby.inside })}</p>;
}

// The map and the list of trackers side by side; on narrow screens one of the two. Filters and the map's place are in the address.
import { Loading } from '@tracker/shared/ui/states.tsx';
import { cn } from '@tracker/shared/ui/cn.ts';
import { getRouteApi } from '@tanstack/react-router';
import { List, Map as MapIcon } from 'lucide-react';
import { lazy, Suspense } from 'react';
import { useTranslation } from 'react-i18next';
import { FilterBar } from './FilterBar';
import { isFiltered, listFilter, sorts, type TrackersSearch } from './search';
import { TrackerList } from './TrackerList';
import { useWide } from './useWide';

const route = getRouteApi('/frame/trackers');
const TrackersMap = lazy(() => import('./TrackersMap').then((module) => ({ default: module.TrackersMap })));

export function TrackersPage() {
  const { t } = useTranslation('app');
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const wide = useWide();
  const view = search.view ?? 'list';
  const change = (part: Partial<TrackersSearch>) =>
    void navigate({ search: (before) => ({ ...before, ...part }), replace: true });
  return (
    <div className="flex h-full min-h-96 flex-col gap-3 lg:grid lg:grid-cols-[minmax(20rem,26rem)_1fr] lg:grid-rows-1">
      <div className={cn('flex min-h-0 flex-col gap-3', (wide || view === 'list') && 'flex-1')}>
        <h1 className="sr-only">{t('trackers.title')}</h1>
        <FilterBar search={search} onChange={change} />
        {!wide && <ViewSwitch view={view} onChange={(next) => change({ view: next })} />}
        {(wide || view === 'list') && (
          // Focusable, so that the list scrolls by keyboard.
          // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
          <div tabIndex={0} className="min-h-0 flex-1 overflow-y-auto rounded-lg border border-line bg-surface">
            <TrackerList
              query={{ ...listFilter(search), sort: sorts[search.sort ?? 'name'] }}
              filtered={isFiltered(search)}
            />
          </div>
        )}
      </div>
      {(wide || view === 'map') && (
        <div className="relative min-h-0 flex-1 overflow-hidden rounded-lg border border-line bg-surface">
          <Suspense fallback={<Loading />}>
            <TrackersMap
              label={t('trackers.mapLabel')}
              filter={listFilter(search)}
              start={mapPlace(search)}
              onMoved={({ center, zoom }) =>
                change({ lat: round(center.latitude, 5), lng: round(center.longitude, 5), zoom: round(zoom, 2) })
              }
            />
          </Suspense>
        </div>
      )}
    </div>
  );
}

function mapPlace({ lat, lng, zoom }: TrackersSearch) {
  if (lat === undefined || lng === undefined || zoom === undefined) return undefined;
  return { center: { latitude: lat, longitude: lng }, zoom };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

function ViewSwitch({ view, onChange }: { view: 'list' | 'map'; onChange: (view: 'list' | 'map') => void }) {
  const { t } = useTranslation('app');
  return (
    <div role="group" aria-label={t('trackers.view')} className="grid grid-cols-2 gap-1 rounded-lg bg-raised p-1">
      {(['list', 'map'] as const).map((each) => (
        <button
          key={each}
          type="button"
          aria-pressed={view === each}
          onClick={() => onChange(each)}
          className={cn(
            'flex min-h-9 items-center justify-center gap-2 rounded-md font-medium',
            view === each && 'bg-surface shadow-sm',
          )}
        >
          {each === 'list' ? <List aria-hidden className="size-4" /> : <MapIcon aria-hidden className="size-4" />}
          {t(`trackers.${each}`)}
        </button>
      ))}
    </div>
  );
}

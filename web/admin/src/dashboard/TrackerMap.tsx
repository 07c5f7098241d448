// All trackers on the map; a click leads to one. Loaded lazily: it brings MapLibre.
import { MapView } from '@tracker/shared/map/MapView.tsx';
import { TrackerTiles } from '@tracker/shared/map/TrackerTiles.tsx';
import { useNavigate } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';

const ALL = {};

export function TrackerMap() {
  const { t } = useTranslation('admin');
  const navigate = useNavigate();
  return (
    <MapView className="h-80" label={t('dashboard.map')}>
      <TrackerTiles
        filter={ALL}
        onPick={({ id }) => void navigate({ to: '/trackers/$id' as never, params: { id: String(id) } as never })}
        onPickGroup={(bounds) =>
          void navigate({ to: '/trackers' as never, search: { bbox: bounds.join(',') } as never })
        }
      />
    </MapView>
  );
}

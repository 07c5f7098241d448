// The storage and delivery locations that count for a run.
import { api, call } from '@tracker/shared/api/client.ts';
import type { RunLocations } from '@tracker/shared/api/schema.d.ts';
import { useUser } from '@tracker/shared/session/useSession.ts';
import { Badge } from '@tracker/shared/ui/Badge.tsx';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { Card } from '@tracker/shared/ui/Card.tsx';
import { Await, Empty } from '@tracker/shared/ui/states.tsx';
import { toast } from '@tracker/shared/ui/toast.tsx';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useTranslation } from 'react-i18next';
import { RefPicker } from '../resource/RefPicker';
import type { Row } from '../resource/spec';

export function RunLocationsTab({ row }: { row: Row }) {
  const { t } = useTranslation('admin');
  const queries = useQueryClient();
  const user = useUser();
  const key = ['/api/v1/production-runs', row.id, 'locations'];
  const params = { path: { id: row.id } };
  const places = useQuery({
    queryKey: key,
    queryFn: ({ signal }) => call(api.GET('/api/v1/production-runs/{id}/locations', { params, signal })),
  });
  const set = useMutation({
    mutationFn: (ids: number[]) =>
      call(api.PUT('/api/v1/production-runs/{id}/locations', { params, body: { location_ids: ids } })),
    onSuccess: (data) => {
      queries.setQueryData(key, data);
      toast.success(t('runPlaces.saved'));
      return queries.invalidateQueries({ queryKey: ['/api/v1/production-runs'] });
    },
    onError: (error) => toast.error(error),
  });
  const may = user.role !== 'user';
  return (
    <Card>
      <Await query={places}>
        {({ items }) => {
          const ids = items.map((place) => place.id);
          return (
            <div className="flex flex-col gap-4">
              {items.length === 0 && <Empty title={t('runPlaces.none')} />}
              <PlaceList
                items={items}
                onRemove={may ? (id) => set.mutate(ids.filter((other) => other !== id)) : undefined}
              />
              {may && (
                <div className="grid max-w-2xl gap-3 sm:grid-cols-2">
                  {(['storage-locations', 'delivery-locations'] as const).map((resource) => (
                    <div key={resource} className="flex flex-col gap-1">
                      <span className="font-medium">{t('runPlaces.add', { what: t(`resource.${resource}.one`) })}</span>
                      <RefPicker
                        label={t('runPlaces.add', { what: t(`resource.${resource}.one`) })}
                        resources={[resource]}
                        filter={{ client_id: String(row.client_id as number) }}
                        value={undefined}
                        onChange={(id) => id !== undefined && !ids.includes(id) && set.mutate([...ids, id])}
                      />
                    </div>
                  ))}
                </div>
              )}
            </div>
          );
        }}
      </Await>
    </Card>
  );
}

function PlaceList({
  items,
  onRemove,
}: {
  items: RunLocations['items'];
  onRemove: ((id: number) => void) | undefined;
}) {
  const { t } = useTranslation(['admin', 'shared']);
  return (
    <ul className="divide-y divide-line">
      {items.map((place) => (
        <li key={place.id} className="flex flex-wrap items-center justify-between gap-2 py-2">
          <div className="flex min-w-0 flex-wrap items-center gap-2">
            <Badge tone={place.kind === 'delivery' ? 'success' : 'info'}>
              {t(`resource.${place.kind}-locations.one`)}
            </Badge>
            <Link
              to={`/${place.kind}-locations/$id` as never}
              params={{ id: String(place.id) } as never}
              className="text-link hover:underline"
            >
              {place.name}
            </Link>
            <span className="text-muted">{place.address}</span>
          </div>
          {onRemove && (
            <Button small onClick={() => onRemove(place.id)}>
              {t('shared:action.remove')}
            </Button>
          )}
        </li>
      ))}
    </ul>
  );
}

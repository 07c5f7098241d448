// Finds an address or a town and hands over its position.
import { api, call } from '@tracker/shared/api/client.ts';
import type { GeocodedPlace } from '@tracker/shared/api/schema.d.ts';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { Input } from '@tracker/shared/ui/Input.tsx';
import { toast } from '@tracker/shared/ui/toast.tsx';
import { useMutation } from '@tanstack/react-query';
import { Search } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';

export function AddressSearch({ initial, onPick }: { initial: string; onPick: (place: GeocodedPlace) => void }) {
  const { t } = useTranslation(['admin', 'shared']);
  const [typed, setTyped] = useState(initial);
  const search = useMutation({
    mutationFn: (q: string) => call(api.GET('/api/v1/geocoding/search', { params: { query: { q, limit: 5 } } })),
    onError: (error) => toast.error(error),
  });
  const run = () => typed.trim() && search.mutate(typed.trim());
  return (
    <div className="flex flex-col gap-2">
      <div className="flex gap-2">
        <Input
          type="search"
          aria-label={t('place.search')}
          placeholder={t('place.search')}
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter') return;
            event.preventDefault();
            run();
          }}
        />
        <Button busy={search.isPending} onClick={run}>
          <Search aria-hidden className="size-4" />
          {t('shared:action.search')}
        </Button>
      </div>
      {search.data && (
        <ul aria-label={t('shared:palette.results')} className="rounded-md border border-line">
          {search.data.items.map((place) => (
            <li key={`${place.label}${place.position.latitude}`}>
              <button
                type="button"
                className="w-full px-3 py-1.5 text-left hover:bg-raised"
                onClick={() => {
                  onPick(place);
                  search.reset();
                }}
              >
                {place.label}
              </button>
            </li>
          ))}
          {search.data.items.length === 0 && (
            <li className="px-3 py-1.5 text-muted">{t('shared:field.nothingFound')}</li>
          )}
          <li className="px-3 py-1 text-xs text-muted">{search.data.attribution}</li>
        </ul>
      )}
    </div>
  );
}

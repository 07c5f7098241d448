// The slowest calls of the API, as this server has measured them.
import { api, call } from '@tracker/shared/api/client.ts';
import { formatNumber } from '@tracker/shared/i18n/format.ts';
import { Card } from '@tracker/shared/ui/Card.tsx';
import { Await } from '@tracker/shared/ui/states.tsx';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';

const SHOWN = 10;

export function RoutesCard() {
  const { t } = useTranslation('admin');
  const performance = useQuery({
    queryKey: ['/api/v1/admin/performance'],
    queryFn: ({ signal }) => call(api.GET('/api/v1/admin/performance', { signal })),
  });
  return (
    <Card flush title={t('routes.title')}>
      <Await query={performance}>
        {({ routes }) => (
          <div className="overflow-x-auto" role="region" aria-label={t('routes.title')} tabIndex={0}>
            <table className="w-full">
              <thead>
                <tr className="border-b border-line text-left text-muted">
                  <th className="px-3 py-2 font-medium">{t('routes.route')}</th>
                  <th className="px-3 py-2 text-right font-medium">{t('routes.count')}</th>
                  <th className="px-3 py-2 text-right font-medium">p50 ms</th>
                  <th className="px-3 py-2 text-right font-medium">p95 ms</th>
                  <th className="px-3 py-2 text-right font-medium">{t('field.error')}</th>
                </tr>
              </thead>
              <tbody>
                {[...routes]
                  .sort((a, b) => b.p95_ms - a.p95_ms)
                  .slice(0, SHOWN)
                  .map((route) => (
                    <tr key={route.method + route.route} className="border-b border-line last:border-0">
                      <td className="px-3 py-1.5 text-xs break-all">
                        {route.method} {route.route}
                      </td>
                      <td className="px-3 py-1.5 text-right tabular-nums">{formatNumber(route.count)}</td>
                      <td className="px-3 py-1.5 text-right tabular-nums">{formatNumber(route.p50_ms, 1)}</td>
                      <td className="px-3 py-1.5 text-right tabular-nums">{formatNumber(route.p95_ms, 1)}</td>
                      <td className="px-3 py-1.5 text-right tabular-nums">{formatNumber(route.errors)}</td>
                    </tr>
                  ))}
              </tbody>
            </table>
          </div>
        )}
      </Await>
    </Card>
  );
}

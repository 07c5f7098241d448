// Where a user is signed in, and signing them out.
import { api, call } from '@tracker/shared/api/client.ts';
import { formatRelative } from '@tracker/shared/i18n/format.ts';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { Card } from '@tracker/shared/ui/Card.tsx';
import { confirm } from '@tracker/shared/ui/confirm.tsx';
import { Await, Empty } from '@tracker/shared/ui/states.tsx';
import { toast } from '@tracker/shared/ui/toast.tsx';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import type { Row } from '../resource/spec';

export function UserSessionsTab({ row }: { row: Row }) {
  const { t } = useTranslation(['admin', 'shared']);
  const path = { id: row.id };
  const sessions = useQuery({
    queryKey: ['/api/v1/users', row.id, 'sessions'],
    queryFn: ({ signal }) => call(api.GET('/api/v1/users/{id}/sessions', { params: { path }, signal })),
  });
  const end = useMutation({
    mutationFn: (session: number | undefined) =>
      session === undefined
        ? call(api.DELETE('/api/v1/users/{id}/sessions', { params: { path } }))
        : call(
            api.DELETE('/api/v1/users/{id}/sessions/{session_id}', {
              params: { path: { ...path, session_id: session } },
            }),
          ),
    onSuccess: () => sessions.refetch(),
    onError: (error) => toast.error(error),
  });
  const endAll = async () => {
    const sure = await confirm({
      title: t('shared:profile.signOutEverywhere'),
      text: t('user.endAllText', { name: row.name as string }),
      act: t('shared:profile.signOutEverywhere'),
      danger: true,
    });
    if (sure) end.mutate(undefined);
  };
  return (
    <Card
      title={t('tab.sessions')}
      actions={
        <Button small onClick={() => void endAll()}>
          {t('shared:profile.signOutEverywhere')}
        </Button>
      }
    >
      <Await query={sessions}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={t('user.noSessions')} />
          ) : (
            <ul className="divide-y divide-line">
              {items.map((session) => (
                <li key={session.id} className="flex flex-wrap items-center justify-between gap-2 py-2">
                  <div className="min-w-0">
                    <p className="break-words">{session.user_agent || t('shared:profile.unknownDevice')}</p>
                    <p className="text-xs text-muted">
                      {[session.address, t('shared:profile.lastUsed', { time: formatRelative(session.last_used_at) })]
                        .filter(Boolean)
                        .join(' · ')}
                    </p>
                  </div>
                  <Button small disabled={end.isPending} onClick={() => end.mutate(session.id)}>
                    {t('shared:profile.endSession')}
                  </Button>
                </li>
              ))}
            </ul>
          )
        }
      </Await>
    </Card>
  );
}

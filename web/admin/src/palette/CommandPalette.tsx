// The command palette (Ctrl-K): pages by name, and the search of the API over everything that has a name.
import { api, call } from '@tracker/shared/api/client.ts';
import { Loading } from '@tracker/shared/ui/states.tsx';
import { overlayClass } from '@tracker/shared/ui/Dialog.tsx';
import type { NavGroup } from '@tracker/shared/shell/AppShell.tsx';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { Command } from 'cmdk';
import { Dialog } from 'radix-ui';
import { useDeferredValue, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { resources } from '../resource/resources';
import type { ResourceLabel } from '../resource/spec';

const SHORTEST = 2;
const PER_GROUP = 6;
const itemClass = 'flex min-h-9 cursor-pointer items-center gap-2 rounded px-2.5 data-[selected=true]:bg-raised';
const headingClass =
  '[&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:py-1 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:text-muted';

export function CommandPalette({ navigation, onClose }: { navigation: NavGroup[]; onClose: () => void }) {
  const { t } = useTranslation(['admin', 'shared']);
  const navigate = useNavigate();
  const [typed, setTyped] = useState('');
  const q = useDeferredValue(typed.trim());
  const search = useQuery({
    queryKey: ['/api/v1/search', q],
    enabled: q.length >= SHORTEST,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => call(api.GET('/api/v1/search', { params: { query: { q, limit: PER_GROUP } }, signal })),
  });
  const pages = navigation
    .flatMap((group) => group.items)
    .filter((item) => item.label.toLowerCase().includes(q.toLowerCase()));
  const go = (to: string) => {
    onClose();
    void navigate({ to: to as never });
  };
  return (
    <Dialog.Root open onOpenChange={(open) => !open && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className={overlayClass} />
        <Dialog.Content
          aria-describedby={undefined}
          className="fixed top-[12dvh] left-1/2 z-50 w-[min(36rem,calc(100vw-1.5rem))] -translate-x-1/2 rounded-lg border border-line bg-surface shadow-xl"
        >
          <Dialog.Title className="sr-only">{t('shared:palette.title')}</Dialog.Title>
          <Command shouldFilter={false} label={t('shared:palette.title')}>
            <Command.Input
              value={typed}
              onValueChange={setTyped}
              placeholder={t('shared:palette.placeholder')}
              className="w-full border-b border-line bg-transparent px-4 py-3 text-base outline-none placeholder:text-muted"
            />
            <Command.List className="max-h-[60dvh] overflow-y-auto p-2">
              {q.length > 0 && q.length < SHORTEST && (
                <p className="px-2.5 py-2 text-muted">{t('shared:palette.hint')}</p>
              )}
              {search.isFetching && !search.data && <Loading />}
              <Command.Empty className="px-2.5 py-2 text-muted">{t('shared:field.nothingFound')}</Command.Empty>
              {q.length >= SHORTEST &&
                search.data?.groups.map((group) => {
                  const spec = resources[group.resource as ResourceLabel];
                  if (!spec || group.items.length === 0) return null;
                  return (
                    <Command.Group
                      key={group.resource}
                      heading={t(`resource.${spec.name}.many`)}
                      className={headingClass}
                    >
                      {group.items.map((item) => (
                        <Command.Item
                          key={item.id}
                          value={`${group.resource}-${item.id}`}
                          onSelect={() => go(`/${group.resource}/${item.id}`)}
                          className={itemClass}
                        >
                          <spec.icon aria-hidden className="size-4 shrink-0 text-muted" />
                          <span className="truncate">{item.name}</span>
                          {item.code && <span className="text-xs text-muted">{item.code}</span>}
                        </Command.Item>
                      ))}
                    </Command.Group>
                  );
                })}
              {pages.length > 0 && (
                <Command.Group heading={t('shared:palette.pages')} className={headingClass}>
                  {pages.map((item) => (
                    <Command.Item key={item.to} value={item.to} onSelect={() => go(item.to)} className={itemClass}>
                      <item.icon aria-hidden className="size-4 shrink-0 text-muted" />
                      {item.label}
                    </Command.Item>
                  ))}
                </Command.Group>
              )}
            </Command.List>
          </Command>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

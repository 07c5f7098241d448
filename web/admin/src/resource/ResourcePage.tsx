// The page of one row: its fields, what belongs to it, and the history of its changes.
import { request } from '@tracker/shared/api/client.ts';
import { useUser } from '@tracker/shared/session/useSession.ts';
import { useLocalTableState } from '@tracker/shared/table/tableState.ts';
import type { Search } from '@tracker/shared/shell/search.ts';
import { Badge } from '@tracker/shared/ui/Badge.tsx';
import { Button, IconButton } from '@tracker/shared/ui/Button.tsx';
import { Card, PageHead } from '@tracker/shared/ui/Card.tsx';
import { Menu, MenuItem } from '@tracker/shared/ui/Menu.tsx';
import { Await } from '@tracker/shared/ui/states.tsx';
import { Tabs } from '@tracker/shared/ui/Tabs.tsx';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { Archive, ArchiveRestore, EllipsisVertical, Pencil, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Value } from './cells';
import { History } from './History';
import { useNames } from './names';
import { ResourceForm } from './ResourceForm';
import { ResourceTable } from './ResourceTable';
import { resources } from './resources';
import { archiveRow, deleteRow, restoreRow } from './rowActions';
import { listPath, mayRead, mayWrite, rowTitle, type ResourceLabel, type ResourceSpec, type Row } from './spec';

export function ResourcePage({ spec, id }: { spec: ResourceSpec; id: number }) {
  const row = useQuery({
    queryKey: [listPath(spec), id],
    queryFn: async () => (await request<Row>('GET', `${listPath(spec)}/${id}`)).data,
  });
  return <Await query={row}>{(data) => <RowPage key={id} spec={spec} row={data} />}</Await>;
}

function RowPage({ spec, row }: { spec: ResourceSpec; row: Row }) {
  const { t } = useTranslation(['admin', 'shared']);
  const user = useUser();
  const [editing, setEditing] = useState(false);
  const may = mayWrite(user, spec);
  return (
    <div className="flex flex-col gap-4">
      <PageHead
        trail={
          <Link to={`/${spec.name}` as never} className="text-link hover:underline">
            {t(`resource.${spec.name}.many`)}
          </Link>
        }
        title={rowTitle(spec, row)}
        beside={Boolean(row.archived_at) && <Badge tone="warning">{t('shared:table.archivedOnly')}</Badge>}
        actions={
          <>
            {may && spec.Actions && <spec.Actions row={row} />}
            {may && spec.can.edit && (
              <Button onClick={() => setEditing(true)}>
                <Pencil aria-hidden className="size-4" />
                {t('shared:action.edit')}
              </Button>
            )}
            {may && <MoreMenu spec={spec} row={row} />}
          </>
        }
      />
      {spec.Overview && <spec.Overview row={row} />}
      <RowTabs spec={spec} row={row} />
      {editing && (
        <ResourceForm spec={spec} row={row} onClose={() => setEditing(false)} onDone={() => setEditing(false)} />
      )}
    </div>
  );
}

function MoreMenu({ spec, row }: { spec: ResourceSpec; row: Row }) {
  const { t } = useTranslation('shared');
  const queries = useQueryClient();
  const navigate = useNavigate();
  if (!spec.can.archive && !spec.can.delete) return null;
  const reload = async (done: boolean) => {
    if (done) await queries.invalidateQueries({ queryKey: [listPath(spec)] });
  };
  const remove = async () => {
    if (!(await deleteRow(spec, row))) return;
    await navigate({ to: `/${spec.name}` as never });
    queries.removeQueries({ queryKey: [listPath(spec), row.id] });
    await queries.invalidateQueries({ queryKey: [listPath(spec)] });
  };
  return (
    <Menu trigger={<IconButton label={t('action.more')} icon={<EllipsisVertical aria-hidden className="size-5" />} />}>
      {spec.can.archive && !row.archived_at && (
        <MenuItem
          icon={<Archive aria-hidden className="size-4" />}
          onSelect={() => void archiveRow(spec, row).then(reload)}
        >
          {t('action.archive')}
        </MenuItem>
      )}
      {spec.can.archive && Boolean(row.archived_at) && (
        <MenuItem
          icon={<ArchiveRestore aria-hidden className="size-4" />}
          onSelect={() => void restoreRow(spec, row).then(reload)}
        >
          {t('action.restore')}
        </MenuItem>
      )}
      {spec.can.delete && (
        <MenuItem danger icon={<Trash2 aria-hidden className="size-4" />} onSelect={() => void remove()}>
          {t('action.delete')}
        </MenuItem>
      )}
    </Menu>
  );
}

function RowTabs({ spec, row }: { spec: ResourceSpec; row: Row }) {
  const { t } = useTranslation('admin');
  const user = useUser();
  const search: Search = useSearch({ strict: false });
  const navigate = useNavigate();
  const related = Object.entries(spec.related ?? {}).flatMap(([name, field]) => {
    const other = resources[name as ResourceLabel];
    return other && mayRead(user, other) ? [{ other, field }] : [];
  });
  const own = (late: boolean) =>
    (spec.tabs ?? [])
      .filter((tab) => (tab.late ?? false) === late && mayRead(user, { read: tab.read ?? 'user' }))
      .map(({ id, label, content: Content }) => ({ id, label: t(`tab.${label}`), content: <Content row={row} /> }));
  const tabs = [
    ...own(false),
    { id: 'details', label: t('tab.details'), content: <Details spec={spec} row={row} /> },
    ...own(true),
    ...related.map(({ other, field }) => ({
      id: other.name,
      label: t(`resource.${other.name}.many`),
      content: <Related spec={other} field={field} id={row.id} />,
    })),
    ...(user.role === 'admin' && spec.write !== 'nobody'
      ? [{ id: 'history', label: t('tab.history'), content: <History spec={spec} id={row.id} /> }]
      : []),
  ];
  const value = tabs.some((tab) => tab.id === search.tab) ? (search.tab ?? '') : (tabs[0]?.id ?? '');
  const change = (tab: string) => void navigate({ to: '.', search: { tab } as never, replace: true });
  return <Tabs label={rowTitle(spec, row)} tabs={tabs} value={value} onChange={change} />;
}

function Details({ spec, row }: { spec: ResourceSpec; row: Row }) {
  const { t } = useTranslation('admin');
  const fields = spec.fields.filter((field) => field.name in row);
  const names = useNames(fields, [row]);
  return (
    <Card>
      <dl className="grid grid-cols-1 gap-x-6 gap-y-3 sm:grid-cols-2 xl:grid-cols-3">
        {fields.map((field) => (
          <div key={field.name} className="min-w-0">
            <dt className="text-xs text-muted">{t(`field.${field.name}`)}</dt>
            <dd className="break-words">
              <Value field={field} value={row[field.name]} names={names} />
            </dd>
          </div>
        ))}
      </dl>
    </Card>
  );
}

function Related({ spec, field, id }: { spec: ResourceSpec; field: string; id: number }) {
  const table = useLocalTableState();
  const [fixed] = useState({ [field]: String(id) });
  return (
    <Card flush>
      <ResourceTable spec={spec} table={table} fixed={fixed} />
    </Card>
  );
}

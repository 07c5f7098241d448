// Archiving, restoring and deleting rows; a refused deletion tells what depends on the row.
import { request } from '@tracker/shared/api/client.ts';
import { ApiError } from '@tracker/shared/api/problem.ts';
import { confirm } from '@tracker/shared/ui/confirm.tsx';
import { toast } from '@tracker/shared/ui/toast.tsx';
import i18next from 'i18next';
import { listPath, rowTitle, type ResourceSpec, type Row } from './spec';

/** True when it was done. */
export async function archiveRow(spec: ResourceSpec, row: Row): Promise<boolean> {
  const name = rowTitle(spec, row);
  const sure = await confirm({
    title: i18next.t('shared:confirm.archiveTitle', { name }),
    text: i18next.t('shared:confirm.archiveText'),
    act: i18next.t('shared:action.archive'),
  });
  return sure && act(() => request('POST', `${listPath(spec)}/${row.id}/archive`), 'done.archived', name);
}

export async function restoreRow(spec: ResourceSpec, row: Row): Promise<boolean> {
  return act(() => request('POST', `${listPath(spec)}/${row.id}/restore`), 'done.restored', rowTitle(spec, row));
}

export async function deleteRow(spec: ResourceSpec, row: Row): Promise<boolean> {
  const name = rowTitle(spec, row);
  const sure = await confirm({
    title: i18next.t('shared:confirm.deleteTitle', { name }),
    text: i18next.t('shared:confirm.deleteText'),
    act: i18next.t('shared:action.delete'),
    danger: true,
  });
  if (!sure) return false;
  try {
    await request('DELETE', `${listPath(spec)}/${row.id}`);
    toast.success(i18next.t('admin:done.deleted', { name }));
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.code === 'in_use') return refuse(spec, row, error);
    toast.error(error);
    return false;
  }
}

/** Names the dependants and offers to archive instead. */
async function refuse(spec: ResourceSpec, row: Row, error: ApiError): Promise<boolean> {
  const dependants = error.errors.map(({ field, message }) => (
    <li key={field}>
      {message}: {field}
    </li>
  ));
  const instead = await confirm({
    title: rowTitle(spec, row),
    text: (
      <>
        <p>{i18next.t('shared:dependants.title')}</p>
        <ul className="my-2 list-disc pl-5 text-ink">{dependants}</ul>
        {spec.can.archive && <p>{i18next.t('shared:dependants.archiveInstead')}</p>}
      </>
    ),
    act: spec.can.archive ? i18next.t('shared:action.archive') : i18next.t('shared:action.close'),
  });
  if (!instead || !spec.can.archive || row.archived_at) return false;
  return act(() => request('POST', `${listPath(spec)}/${row.id}/archive`), 'done.archived', rowTitle(spec, row));
}

async function act(
  run: () => Promise<unknown>,
  done: 'done.archived' | 'done.restored',
  name: string,
): Promise<boolean> {
  try {
    await run();
    toast.success(i18next.t(`admin:${done}`, { name }));
    return true;
  } catch (error) {
    toast.error(error);
    return false;
  }
}

// Background work: the queues, and every task with its state, to be cancelled or tried again.
import { api, call } from '@tracker/shared/api/client.ts';
import type { Task } from '@tracker/shared/api/schema.d.ts';
import type { Search } from '@tracker/shared/shell/search.ts';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { Card, PageHead } from '@tracker/shared/ui/Card.tsx';
import { Dialog } from '@tracker/shared/ui/Dialog.tsx';
import { Select } from '@tracker/shared/ui/Input.tsx';
import { Await, Empty } from '@tracker/shared/ui/states.tsx';
import { Time } from '@tracker/shared/ui/Time.tsx';
import { toast } from '@tracker/shared/ui/toast.tsx';
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { isOver, TaskProgress, TaskState, taskTones } from './TaskProgress';

const PAGE = 50;
const QUEUES_EVERY_MS = 10_000;
const STATES = Object.keys(taskTones) as Task['state'][];
const isState = (text: string): text is Task['state'] => text in taskTones;

export function TasksPage() {
  const { t } = useTranslation('admin');
  return (
    <div className="flex flex-col gap-4">
      <PageHead title={t('task.title')} />
      <Queues />
      <TaskList />
    </div>
  );
}

function Queues() {
  const { t } = useTranslation('admin');
  const queues = useQuery({
    queryKey: ['/api/v1/admin/queues'],
    refetchInterval: QUEUES_EVERY_MS,
    queryFn: ({ signal }) => call(api.GET('/api/v1/admin/queues', { signal })),
  });
  return (
    <Card flush title={t('task.queues')}>
      <Await query={queues}>
        {({ items, dead_letters }) => (
          <div className="overflow-x-auto" role="region" aria-label={t('task.queues')} tabIndex={0}>
            <table className="w-full">
              <thead>
                <tr className="border-b border-line text-left text-muted">
                  {(['queue', 'waiting', 'oldest', 'running', 'scheduled', 'succeeded', 'failed'] as const).map(
                    (name) => (
                      <th key={name} className="px-3 py-2 font-medium whitespace-nowrap">
                        {t(`task.column.${name}`)}
                      </th>
                    ),
                  )}
                </tr>
              </thead>
              <tbody>
                {items.map((queue) => (
                  <tr key={queue.queue} className="border-b border-line last:border-0">
                    <td className="px-3 py-2 font-medium">{queue.queue}</td>
                    <td className="px-3 py-2">{queue.waiting}</td>
                    <td className="px-3 py-2">
                      <Time value={queue.oldest_waiting_at} />
                    </td>
                    <td className="px-3 py-2">{queue.running}</td>
                    <td className="px-3 py-2">{queue.scheduled}</td>
                    <td className="px-3 py-2">{queue.succeeded_last_day}</td>
                    <td className="px-3 py-2">{queue.failed_last_day}</td>
                  </tr>
                ))}
              </tbody>
            </table>
            {dead_letters !== null && dead_letters > 0 && (
              <p className="px-3 py-2 text-danger">{t('task.deadLetters', { count: dead_letters })}</p>
            )}
          </div>
        )}
      </Await>
    </Card>
  );
}

function TaskList() {
  const { t } = useTranslation(['admin', 'shared']);
  const { state = '', queue = '' }: Search = useSearch({ strict: false });
  const navigate = useNavigate();
  const [open, setOpen] = useState<Task>();
  const tasks = useInfiniteQuery({
    queryKey: ['/api/v1/tasks', 'list', state, queue],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) => {
      const query = {
        limit: PAGE,
        ...(pageParam ? { cursor: pageParam } : {}),
        ...(isState(state) ? { state } : {}),
        ...(queue ? { queue } : {}),
      };
      return call(api.GET('/api/v1/tasks', { params: { query }, signal }));
    },
    getNextPageParam: (last) => last.next_cursor ?? undefined,
  });
  const rows = tasks.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <Card
      flush
      title={t('task.title')}
      actions={
        <Select
          aria-label={t('field.state')}
          className="w-44"
          value={state}
          empty={t('shared:field.any')}
          options={STATES.map((value) => ({ value, label: t(`task.state.${value}`) }))}
          onChange={(event) => void navigate({ to: '.', search: { state: event.target.value, queue } as never })}
        />
      }
    >
      <Await query={tasks}>
        {() =>
          rows.length === 0 ? (
            <Empty />
          ) : (
            <>
              <ul className="divide-y divide-line">
                {rows.map((task) => (
                  <TaskLine key={task.id} task={task} onOpen={() => setOpen(task)} />
                ))}
              </ul>
              {tasks.hasNextPage && (
                <div className="flex justify-center border-t border-line p-2">
                  <Button small busy={tasks.isFetchingNextPage} onClick={() => void tasks.fetchNextPage()}>
                    {t('shared:action.more')}
                  </Button>
                </div>
              )}
            </>
          )
        }
      </Await>
      {open && <TaskDialog task={open} onClose={() => setOpen(undefined)} />}
    </Card>
  );
}

function TaskLine({ task, onOpen }: { task: Task; onOpen: () => void }) {
  const { t } = useTranslation(['admin', 'shared']);
  const queries = useQueryClient();
  const act = useMutation({
    mutationFn: () => {
      const params = { path: { id: task.id } };
      return isOver(task)
        ? call(api.POST('/api/v1/tasks/{id}/retry', { params }))
        : call(api.POST('/api/v1/tasks/{id}/cancel', { params }));
    },
    onSuccess: () => queries.invalidateQueries({ queryKey: ['/api/v1/tasks'] }),
    onError: (error) => toast.error(error),
  });
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-1 px-4 py-2">
      <button
        type="button"
        className="min-w-40 flex-1 text-left font-medium text-link hover:underline"
        onClick={onOpen}
      >
        {task.name}
      </button>
      <span className="text-muted">{task.queue}</span>
      <TaskState task={task} />
      <Time value={task.created_at} />
      <Button small busy={act.isPending} onClick={() => act.mutate()}>
        {isOver(task) ? t('shared:action.retry') : t('shared:action.cancel')}
      </Button>
    </li>
  );
}

function TaskDialog({ task, onClose }: { task: Task; onClose: () => void }) {
  const { t } = useTranslation('admin');
  const { args, kwargs, result, error, attempts, max_attempts, worker, started_at, finished_at } = task;
  return (
    <Dialog open wide title={task.name} onClose={onClose}>
      <TaskProgress task={task} />
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
        <dt className="text-muted">{t('task.attempts')}</dt>
        <dd>{max_attempts === null ? attempts : `${attempts} / ${max_attempts}`}</dd>
        <dt className="text-muted">{t('field.worker')}</dt>
        <dd>{worker ?? '–'}</dd>
        <dt className="text-muted">{t('field.started_at')}</dt>
        <dd>
          <Time value={started_at} exact />
        </dd>
        <dt className="text-muted">{t('field.finished_at')}</dt>
        <dd>
          <Time value={finished_at} exact />
        </dd>
      </dl>
      <pre className="overflow-x-auto rounded-md bg-raised p-3 text-xs">
        {JSON.stringify({ args, kwargs, ...(error ? { error } : {}), ...(result === null ? {} : { result }) }, null, 2)}
      </pre>
    </Dialog>
  );
}

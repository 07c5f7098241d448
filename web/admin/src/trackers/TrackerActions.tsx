// What can be done with one tracker: ask Apple now, set the status by hand, judge it anew.
import { api, call } from '@tracker/shared/api/client.ts';
import { useZodForm } from '@tracker/shared/form/form.ts';
import { FormDialog } from '@tracker/shared/form/FormDialog.tsx';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { confirm } from '@tracker/shared/ui/confirm.tsx';
import { Field } from '@tracker/shared/ui/Field.tsx';
import { Select, TextArea } from '@tracker/shared/ui/Input.tsx';
import { Menu, MenuItem } from '@tracker/shared/ui/Menu.tsx';
import { toast } from '@tracker/shared/ui/toast.tsx';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { ChevronDown, RefreshCw } from 'lucide-react';
import { useEffect, useState } from 'react';
import { Controller, useWatch } from 'react-hook-form';
import { useTranslation } from 'react-i18next';
import * as z from 'zod/mini';
import { RefPicker } from '../resource/RefPicker';
import type { Row } from '../resource/spec';
import { isOver, useTask } from '../tasks/TaskProgress';

function useReload() {
  const queries = useQueryClient();
  return () =>
    queries.invalidateQueries({
      predicate: ({ queryKey: [path] }) => typeof path === 'string' && /trackers|history|events|override/.test(path),
    });
}

export function TrackerActions({ row }: { row: Row }) {
  const { t } = useTranslation('admin');
  const [overriding, setOverriding] = useState(false);
  const reload = useReload();
  const path = { id: row.id };
  const override = useQuery({
    queryKey: ['/api/v1/status-override', row.id],
    // No content: there is none.
    queryFn: async ({ signal }) =>
      (await call(api.GET('/api/v1/trackers/{id}/status-override', { params: { path }, signal }))) ?? null,
  });
  const run = async (act: () => Promise<unknown>, done: string) => {
    try {
      await act();
      toast.success(done);
      await reload();
    } catch (error) {
      toast.error(error);
    }
  };
  const lift = async () => {
    const sure = await confirm({
      title: t('override.liftTitle'),
      text: t('override.liftText'),
      act: t('override.lift'),
    });
    if (!sure) return;
    await run(
      () => call(api.DELETE('/api/v1/trackers/{id}/status-override', { params: { path } })),
      t('override.lifted'),
    );
  };
  return (
    <>
      <RefreshButton id={row.id} />
      <Menu
        trigger={
          <Button>
            {t('override.menu')}
            <ChevronDown aria-hidden className="size-4" />
          </Button>
        }
      >
        <MenuItem onSelect={() => setOverriding(true)}>{t('override.set')}</MenuItem>
        {override.data && <MenuItem onSelect={() => void lift()}>{t('override.lift')}</MenuItem>}
        <MenuItem
          onSelect={() =>
            void run(
              () => call(api.POST('/api/v1/trackers/{id}/replay', { params: { path }, body: { preview: false } })),
              t('override.replayed'),
            )
          }
        >
          {t('override.replay')}
        </MenuItem>
      </Menu>
      {overriding && (
        <OverrideDialog
          row={row}
          onClose={() => setOverriding(false)}
          onDone={() => {
            setOverriding(false);
            void reload();
          }}
        />
      )}
    </>
  );
}

function RefreshButton({ id }: { id: number }) {
  const { t } = useTranslation('admin');
  const [taskId, setTaskId] = useState<string>();
  const task = useTask(taskId);
  const reload = useReload();
  const state = task.data?.state;
  useEffect(() => {
    if (state === undefined || !isOver(task.data)) return;
    if (state === 'succeeded') toast.success(t('refresh.done'));
    else toast.error(t('refresh.failed'));
    void reload();
    // Once for each end of a task.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [state, taskId]);
  const start = async () => {
    try {
      const { task_id } = await call(api.POST('/api/v1/trackers/{id}/refresh', { params: { path: { id } } }));
      setTaskId(task_id);
      toast.info(t('refresh.queued'));
    } catch (error) {
      toast.error(error);
    }
  };
  const busy = taskId !== undefined && !isOver(task.data);
  return (
    <Button busy={busy} onClick={() => void start()}>
      {!busy && <RefreshCw aria-hidden className="size-4" />}
      {t('refresh.now')}
    </Button>
  );
}

const STATUSES = ['IN_TRANSIT', 'IN_STORAGE', 'DELIVERED'] as const;

const schema = z.object({
  status: z.enum(STATUSES),
  location_id: z.string(),
  reason: z.string().check(z.trim(), z.minLength(1), z.maxLength(1000)),
});

function OverrideDialog({ row, onClose, onDone }: { row: Row; onClose: () => void; onDone: () => void }) {
  const { t } = useTranslation(['admin', 'shared']);
  const form = useZodForm(schema, { status: 'DELIVERED', location_id: '', reason: '' });
  const status = useWatch({ control: form.control, name: 'status' });
  const { errors } = form.formState;
  const kind =
    status === 'IN_STORAGE' ? 'storage-locations' : status === 'DELIVERED' ? 'delivery-locations' : undefined;
  const submit = async (values: { status: string; location_id: string; reason: string }) => {
    const body = {
      status: values.status as (typeof STATUSES)[number],
      location_id: kind && values.location_id ? Number(values.location_id) : null,
      reason: values.reason,
    };
    await call(api.PUT('/api/v1/trackers/{id}/status-override', { params: { path: { id: row.id } }, body }));
    toast.success(t('override.done'));
    onDone();
  };
  return (
    <FormDialog
      form={form}
      title={t('override.set')}
      description={t('override.text')}
      act={t('override.set')}
      onSubmit={submit}
      onClose={onClose}
    >
      <Field label={t('field.status')} required error={errors.status?.message}>
        {(control) => (
          <Select
            {...control}
            {...form.register('status')}
            options={STATUSES.map((value) => ({ value, label: t(`shared:status.${value}`) }))}
          />
        )}
      </Field>
      {kind && (
        <Field label={t('field.location_id')} error={errors.location_id?.message}>
          {(control) => (
            <Controller
              control={form.control}
              name="location_id"
              render={({ field }) => (
                <RefPicker
                  key={kind}
                  id={control.id}
                  label={t('field.location_id')}
                  resources={[kind]}
                  filter={{ client_id: String(row.client_id) }}
                  value={field.value ? Number(field.value) : undefined}
                  onChange={(id) => field.onChange(id === undefined ? '' : String(id))}
                  clearable
                />
              )}
            />
          )}
        </Field>
      )}
      <Field label={t('override.reason')} required error={errors.reason?.message}>
        {(control) => <TextArea {...control} {...form.register('reason')} />}
      </Field>
    </FormDialog>
  );
}

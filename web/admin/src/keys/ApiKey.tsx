// API keys: the form that shows a new key once, and revoking.
import { api, call } from '@tracker/shared/api/client.ts';
import type { ApiKeyCreated } from '@tracker/shared/api/schema.d.ts';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { confirm } from '@tracker/shared/ui/confirm.tsx';
import { Dialog } from '@tracker/shared/ui/Dialog.tsx';
import { Input } from '@tracker/shared/ui/Input.tsx';
import { toast } from '@tracker/shared/ui/toast.tsx';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { FieldsForm } from '../resource/FieldsForm';
import { rowTitle, type FormProps, type Row } from '../resource/spec';
import { resources } from '../resource/resources';

export function ApiKeyForm(props: FormProps) {
  const [made, setMade] = useState<Row>();
  if (made) return <NewKey row={made} onClose={() => props.onDone(made)} />;
  return <FieldsForm {...props} onDone={(row) => ('key' in row ? setMade(row) : props.onDone(row))} />;
}

function NewKey({ row, onClose }: { row: Row; onClose: () => void }) {
  const { t } = useTranslation(['admin', 'shared']);
  const { key } = row as unknown as ApiKeyCreated;
  const copy = async () => {
    await navigator.clipboard.writeText(key);
    toast.success(t('apiKey.copied'));
  };
  return (
    <Dialog
      open
      title={t('apiKey.made')}
      description={t('apiKey.once')}
      onClose={onClose}
      footer={
        <>
          <Button onClick={() => void copy()}>{t('shared:action.copy')}</Button>
          <Button variant="primary" onClick={onClose}>
            {t('shared:action.close')}
          </Button>
        </>
      }
    >
      <Input
        readOnly
        aria-label={t('resource.api-keys.one')}
        className="font-mono text-xs"
        value={key}
        onFocus={(event) => event.target.select()}
      />
    </Dialog>
  );
}

export function ApiKeyActions({ row }: { row: Row }) {
  const { t } = useTranslation('admin');
  const queries = useQueryClient();
  if (row.revoked_at) return null;
  const revoke = async () => {
    const spec = resources['api-keys'];
    const name = spec ? rowTitle(spec, row) : '';
    if (
      !(await confirm({
        title: t('apiKey.revokeTitle', { name }),
        text: t('apiKey.revokeText'),
        act: t('apiKey.revoke'),
        danger: true,
      }))
    )
      return;
    try {
      await call(api.POST('/api/v1/api-keys/{id}/revoke', { params: { path: { id: row.id } } }));
      await queries.invalidateQueries({ queryKey: ['/api/v1/api-keys'] });
      toast.success(t('apiKey.revoked', { name }));
    } catch (error) {
      toast.error(error);
    }
  };
  return <Button onClick={() => void revoke()}>{t('apiKey.revoke')}</Button>;
}

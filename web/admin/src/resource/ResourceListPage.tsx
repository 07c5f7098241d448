// The page of a resource's list; its state stands in the address.
import { useUser } from '@tracker/shared/session/useSession.ts';
import { useAddressTableState } from '@tracker/shared/table/tableState.ts';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { Card, PageHead } from '@tracker/shared/ui/Card.tsx';
import { useNavigate } from '@tanstack/react-router';
import { Plus } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { ResourceForm } from './ResourceForm';
import { ResourceTable } from './ResourceTable';
import { mayWrite, type ResourceSpec } from './spec';

export function ResourceListPage({ spec }: { spec: ResourceSpec }) {
  const { t } = useTranslation('admin');
  const user = useUser();
  const table = useAddressTableState();
  const navigate = useNavigate();
  const [creating, setCreating] = useState(false);
  const may = mayWrite(user, spec);
  return (
    <div className="flex flex-col gap-4">
      <PageHead
        title={t(`resource.${spec.name}.many`)}
        actions={
          <>
            {may && spec.ListActions && <spec.ListActions />}
            {may && spec.can.create && (
              <Button variant="primary" onClick={() => setCreating(true)}>
                <Plus aria-hidden className="size-4" />
                {t('form.create', { what: t(`resource.${spec.name}.one`) })}
              </Button>
            )}
          </>
        }
      />
      <Card flush>
        <ResourceTable key={spec.name} spec={spec} table={table} />
      </Card>
      {creating && (
        <ResourceForm
          spec={spec}
          initial={table.state.filters}
          onClose={() => setCreating(false)}
          onDone={(row) => {
            setCreating(false);
            if (!spec.listOnly)
              void navigate({ to: `/${spec.name}/$id` as never, params: { id: String(row.id) } as never });
          }}
        />
      )}
    </div>
  );
}

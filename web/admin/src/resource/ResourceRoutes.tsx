// The pages of a resource by its name in the address: /trackers and /trackers/7.
import { useUser } from '@tracker/shared/session/useSession.ts';
import { NotFound } from '@tracker/shared/shell/pages.tsx';
import { useParams } from '@tanstack/react-router';
import { ResourceListPage } from './ResourceListPage';
import { ResourcePage } from './ResourcePage';
import { resources } from './resources';
import { mayRead, type ResourceLabel } from './spec';

function useSpec() {
  const user = useUser();
  const { resource } = useParams({ strict: false });
  const spec = resources[resource as ResourceLabel];
  return spec && mayRead(user, spec) ? spec : undefined;
}

export function ListRoute() {
  const spec = useSpec();
  return spec ? <ResourceListPage key={spec.name} spec={spec} /> : <NotFound />;
}

export function RowRoute() {
  const spec = useSpec();
  const { id } = useParams({ strict: false });
  if (!spec || spec.listOnly || !/^[1-9]\d{0,18}$/.test(id ?? '')) return <NotFound />;
  return <ResourcePage key={`${spec.name}-${id}`} spec={spec} id={Number(id)} />;
}

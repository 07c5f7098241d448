// The dashboard: placeholder of the real one.
export function DashboardPage() {
  return null;
}

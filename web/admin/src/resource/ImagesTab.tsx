// The images of a row, as a tab of its page.
import { Gallery } from '@tracker/shared/images/Gallery.tsx';
import type { OwnerKind } from '@tracker/shared/images/upload.ts';
import { Card } from '@tracker/shared/ui/Card.tsx';
import type { Row, Tab } from './spec';

export function imagesTab(kind: OwnerKind): Tab {
  // Whoever sees the admin panel may change images.
  const content = ({ row }: { row: Row }) => (
    <Card>
      <Gallery owner={{ kind, id: row.id }} name={row.name as string} mayChange />
    </Card>
  );
  return { id: 'images', label: 'images', content, late: true };
}

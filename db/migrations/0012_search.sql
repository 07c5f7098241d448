-- Full-text and part-of-word search over the names of everything.
SET LOCAL ROLE tracker_owner;

-- Row security lets only leak-proof operators use an index, and neither @@ nor LIKE is one: a GIN index on a
-- protected table is never used by the API. So the words stand in a table of their own without row security, which
-- the API cannot read; its view joins clients, whose policies hide other tenants' words.
CREATE TABLE search_documents (
    resource    text NOT NULL CONSTRAINT search_documents_resource_known
                CHECK (resource IN ('clients', 'brands', 'production-runs', 'storage-locations', 'delivery-locations', 'trackers')),
    resource_id bigint NOT NULL,
    client_id   bigint NOT NULL REFERENCES clients ON DELETE CASCADE,
    title       text NOT NULL,
    codes       text NOT NULL DEFAULT '',
    body        text NOT NULL DEFAULT '',
    archived    boolean NOT NULL DEFAULT false,
    words       tsvector NOT NULL GENERATED ALWAYS AS (
                setweight(to_tsvector('simple', title), 'A') || setweight(to_tsvector('simple', codes), 'A')
                || setweight(to_tsvector('simple', body), 'C')) STORED,
    parts       text NOT NULL GENERATED ALWAYS AS (lower(title || ' ' || codes)) STORED,
    -- Serves: keeping the document of a row.
    PRIMARY KEY (resource, resource_id)
);
COMMENT ON TABLE search_documents IS 'What can be searched for, one row per resource, kept by triggers. The API searches search_index';
COMMENT ON COLUMN search_documents.codes IS 'MAC address with and without colons';
COMMENT ON COLUMN search_documents.words IS 'For words @@ websearch_to_tsquery(''simple'', ...)';
COMMENT ON COLUMN search_documents.parts IS 'For parts LIKE ''%'' || lower(...) || ''%'': part numbers, MACs and names by any part of three characters or more';
-- Serve: search over all resources and the q filter of lists, by word and by part.
CREATE INDEX search_documents_by_words ON search_documents USING gin (words);
CREATE INDEX search_documents_by_parts ON search_documents USING gin (parts gin_trgm_ops);
-- Serves: the same for a client with few rows, or for parts too short for trigrams; erasing a client.
CREATE INDEX search_documents_by_client ON search_documents (client_id, resource, resource_id);

CREATE VIEW search_index AS
SELECT d.resource, d.resource_id, d.client_id, d.title, d.codes, d.body, d.archived, d.words, d.parts
FROM search_documents d JOIN clients c ON c.id = d.client_id;
COMMENT ON VIEW search_index IS 'Search over all resources, tenant-safe. Name client_id as well where the caller has few';
GRANT SELECT ON search_index TO tracker_api, tracker_worker;
GRANT SELECT ON search_documents TO tracker_worker, tracker_reader;
GRANT SELECT ON clients TO tracker_reader;
ALTER VIEW search_index OWNER TO tracker_reader;

CREATE FUNCTION search_keep() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    r jsonb := to_jsonb(coalesce(NEW, OLD));
    name text := coalesce(nullif(TG_ARGV[0], 'locations'), r ->> 'kind' || '-locations');
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM search_documents d WHERE d.resource = coalesce(nullif(TG_ARGV[0], 'locations'), to_jsonb(OLD) ->> 'kind' || '-locations')
            AND d.resource_id = (to_jsonb(OLD) ->> 'id')::bigint;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO search_documents (resource, resource_id, client_id, title, codes, body, archived)
        VALUES (name, (r ->> 'id')::bigint, coalesce(r ->> 'client_id', r ->> 'id')::bigint, r ->> 'name',
                coalesce(concat_ws(' ', r ->> 'mac_address', replace(r ->> 'mac_address', ':', '')), ''),
                concat_ws(' ', r ->> 'description', r ->> 'address'), r ->> 'archived_at' IS NOT NULL);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION search_keep() IS 'Trigger (resource): keeps the search document of a row';

CREATE FUNCTION search_add_trackers() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO search_documents (resource, resource_id, client_id, title, codes, body, archived)
    SELECT 'trackers', id, client_id, name, concat_ws(' ', mac_address, replace(mac_address, ':', '')), description, archived_at IS NOT NULL
    FROM added;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION search_add_trackers() IS 'Trigger: search documents of new trackers, which come in thousands, in one statement';

-- A changed name is the exception; fetching and judging write to trackers all day and must not pay for it.
CREATE TRIGGER search_insert AFTER INSERT ON trackers REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION search_add_trackers();
CREATE TRIGGER search_update AFTER UPDATE OF name, description, mac_address, archived_at ON trackers
    FOR EACH ROW EXECUTE FUNCTION search_keep('trackers');
CREATE TRIGGER search_delete AFTER DELETE ON trackers FOR EACH ROW EXECUTE FUNCTION search_keep('trackers');
CREATE TRIGGER search AFTER INSERT OR UPDATE OR DELETE ON clients FOR EACH ROW EXECUTE FUNCTION search_keep('clients');
CREATE TRIGGER search AFTER INSERT OR UPDATE OR DELETE ON brands FOR EACH ROW EXECUTE FUNCTION search_keep('brands');
CREATE TRIGGER search AFTER INSERT OR DELETE OR UPDATE OF name, description, archived_at ON production_runs
    FOR EACH ROW EXECUTE FUNCTION search_keep('production-runs');
CREATE TRIGGER search AFTER INSERT OR UPDATE OR DELETE ON locations FOR EACH ROW EXECUTE FUNCTION search_keep('locations');

RESET ROLE;

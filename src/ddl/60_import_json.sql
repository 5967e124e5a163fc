-- Import of job documents: reading them.  They are JSON as people write it: with comments
-- and trailing commas.  Nothing of a document may be quoted in an error, it holds secrets.

-- The alternatives begin with different characters, so that a comment sign inside a string
-- is never taken for a comment.  Line breaks stay: errors name lines.
CREATE FUNCTION mc._import_json(document text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	string constant text := '("(?:[^"\\]|\\.)*")';
	plain text;
	parsed json;
	place text;
	twice text;
BEGIN
	plain := regexp_replace(document, '^\ufeff', '');
	plain := regexp_replace(plain, string || '|//[^\n]*|#[^\n]*|/\*(?:[^*]|\*+[^*/])*\*+/', '\1', 'g');
	plain := regexp_replace(plain, string || '|,(\s*[]}])', '\1\2', 'g');
	BEGIN
		parsed := plain::json;
	EXCEPTION WHEN invalid_text_representation OR untranslatable_character THEN
		GET STACKED DIAGNOSTICS place = PG_EXCEPTION_CONTEXT;
		RAISE invalid_text_representation USING MESSAGE = 'the document is not JSON',
			DETAIL = format('The first error is in line %s.', COALESCE(substring(place FROM 'line (\d+)'), '1')),
			HINT = 'Comments that begin with // or # and commas behind the last member are allowed, everything else is JSON.';
	END;
	IF json_typeof(parsed) IS DISTINCT FROM 'object' THEN
		RAISE invalid_parameter_value USING MESSAGE = 'the document is not a JSON object';
	END IF;
	SELECT t.path INTO twice FROM mc._import_twice(parsed, '') t LIMIT 1;
	IF twice IS NOT NULL THEN
		RAISE invalid_parameter_value USING MESSAGE = format('%s is in the document twice', twice);
	END IF;
	RETURN parsed::jsonb;
EXCEPTION WHEN untranslatable_character THEN
	RAISE invalid_text_representation USING MESSAGE = 'the document has a character that text cannot hold';
END
$$;
COMMENT ON FUNCTION mc._import_json(text) IS 'JSON with comments and trailing commas as jsonb';

-- jsonb would keep the last of two members with one name
CREATE FUNCTION mc._import_twice(value json, at text) RETURNS TABLE (path text)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	member record;
	seen text[] := '{}';
	i int := 0;
BEGIN
	IF json_typeof(value) = 'object' THEN
		FOR member IN SELECT * FROM json_each(value) AS e (k, v) LOOP
			path := concat_ws('.', NULLIF(at, ''), member.k);
			IF member.k = ANY (seen) THEN
				RETURN NEXT;
			END IF;
			seen := seen || member.k;
			RETURN QUERY SELECT * FROM mc._import_twice(member.v, path);
		END LOOP;
	ELSIF json_typeof(value) = 'array' THEN
		FOR member IN SELECT * FROM json_array_elements(value) AS e (v) LOOP
			RETURN QUERY SELECT * FROM mc._import_twice(member.v, format('%s[%s]', at, i));
			i := i + 1;
		END LOOP;
	END IF;
END
$$;
COMMENT ON FUNCTION mc._import_twice(json, text) IS 'paths of members that occur twice in their object';

-- ${name} becomes the value of the parameter; what is left for the scheduler stays as it is
CREATE FUNCTION mc._import_fill(value jsonb, parameters jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	result text := '';
	part text[];
BEGIN
	CASE jsonb_typeof(value)
		WHEN 'object' THEN
			RETURN (SELECT COALESCE(jsonb_object_agg(k, mc._import_fill(v, parameters)), '{}') FROM jsonb_each(value) AS e (k, v));
		WHEN 'array' THEN
			RETURN (SELECT COALESCE(jsonb_agg(mc._import_fill(v, parameters) ORDER BY n), '[]')
				FROM jsonb_array_elements(value) WITH ORDINALITY AS e (v, n));
		WHEN 'string' THEN
			FOR part IN SELECT m FROM regexp_matches(value #>> '{}', '(\$\{([^}]*)\}|\$(?!\{)|[^$]+|\$\{[^}]*$)', 'g') AS t (m) LOOP
				result := result || CASE WHEN part[2] IS NOT NULL AND parameters ? btrim(part[2])
					THEN parameters ->> btrim(part[2]) ELSE part[1] END;
			END LOOP;
			RETURN to_jsonb(result);
		ELSE
			RETURN value;
	END CASE;
END
$$;
COMMENT ON FUNCTION mc._import_fill(jsonb, jsonb) IS 'a document with its ${parameters} replaced';

-- The members of a document, a list or an object of the last level being one line
CREATE FUNCTION mc._import_members(value jsonb, at text) RETURNS TABLE (path text, member text, content jsonb)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
SELECT concat_ws('.', NULLIF(at, ''), k), k, v FROM jsonb_each(value) WITH ORDINALITY AS e (k, v, n) ORDER BY n
$$;
COMMENT ON FUNCTION mc._import_members(jsonb, text) IS 'members of an object with their paths';

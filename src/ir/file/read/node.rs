//! Reading one node.

use std::fmt::Write;
use std::sync::Arc;

use serde_json::Map;
use smallvec::SmallVec;

use super::super::constants;
use super::super::fields::{Fields, Place, did_you_mean};
use super::scope::{Known, Scope, field};
use super::{Reader, nearest};
use crate::error::{Error, SourceLine};
use crate::ir::graph::{GUARDED_REGION, mixed_stacks};
use crate::ir::verify::recorded;
use crate::ir::{Graph, NodeId, Operands, Operation, Provenance, Role, Signature, Types, Value};
use crate::value::json::Json;
use crate::value::{Array, Type};

/// The keys that every node may have; an operation's parameters have other names.
const KEYS: [&str; 10] = ["id", "op", "in", "type", "regions", "name", "cotangent_of", "tangent_of", "at", "meta"];

/// The most operands that a message shows. Unlimited, messages could take more than the square of the document's size.
const MAX_SHOWN: usize = 8;

/// Regions, in order.
type Regions<O> = Box<[Arc<Graph<O>>]>;

impl<'t, O: Operation> Reader<'t, O> {
    /// Reads a node. The names of its results are defined even after findings, so that later nodes find them.
    pub(super) fn node(&mut self, scope: &mut Scope<'t, O>, position: usize, json: &'t Json<'t>) -> Result<(), Error> {
        let item = Place::Item(scope.name, "nodes", position);
        let Some(Fields { known, rest }) = self.findings.fields(item, json, KEYS) else { return Ok(()) };
        let [id, op, operands, types, regions, name, cotangent_of, tangent_of, at, meta] = known;
        let id = self.findings.name(item, "id", id);
        let place = id.map_or(item, |id| Place::Node(scope.name, id));
        if let Some(meta) = meta {
            self.graph_meta(scope.name).nodes.insert(position, meta.to_value());
        }

        let op = self.findings.text(place, "op", op);
        let operands = self.operands(scope, place, position, operands);
        let declared = self.types(place, types)?;
        let op = op.map_or(Ok(None), |op| self.operation(place, op, declared.as_deref(), rest))?;
        let regions = regions.map_or(Ok(Some(Box::default())), |regions| self.regions(place, regions))?;
        let role = self.role(scope, place, position, cotangent_of, tangent_of);
        let provenance = Provenance {
            at: self.optional_text(place, "at", at).map(|at| SourceLine::Recorded(at.into())),
            name: self.optional_text(place, "name", name).map(Into::into),
            role,
        };

        let inferred = match (&op, &operands, &regions) {
            (Some(op), Some(operands), Some(regions)) => self.infer(place, op, operands, regions, json, scope)?,
            _ => None,
        };
        if let (Some(op), Some(declared), Some(inferred)) = (&op, &declared, &inferred)
            && declared != inferred
        {
            self.findings.at(place, recorded(declared, op.name(), inferred));
        }
        let node = match (op, operands, regions, &inferred) {
            (Some(op), Some(operands), Some(regions), Some(inferred)) if self.is_sound() => {
                let operands: Operands = operands.iter().filter_map(|operand| operand.value).collect();
                if let Some(slots) = scope.graph.mixed_stacks(&operands) {
                    let name = |slot| texts_of(json, "in").nth(slot).unwrap_or_default();
                    self.findings.at(place, format!("{}: {}", op.name(), mixed_stacks(slots.map(name))));
                }
                Some(scope.graph.append(op, &operands, regions, inferred.clone(), provenance)?)
            }
            _ => None,
        };
        if let Some(id) = id {
            self.define_results(scope, item, id, results(node, declared, inferred));
        }
        Ok(())
    }

    /// The declared types of the results.
    fn types(&mut self, place: Place<'_>, json: Option<&'t Json<'t>>) -> Result<Option<Types>, Error> {
        let texts: SmallVec<[&str; 1]> = match json {
            Some(Json::Text(text)) => smallvec::smallvec![text.as_ref()],
            Some(Json::List(_)) => match self.findings.texts(place, "type", json) {
                Some(texts) => texts.into(),
                None => return Ok(None),
            },
            other => {
                self.findings.text(place, "type", other);
                return Ok(None);
            }
        };
        let mut types = Types::new();
        for text in texts {
            let Some(ty) = self.findings.ty(place, text) else { return Ok(None) };
            self.count_bytes(place, &ty)?;
            types.push(ty);
        }
        Ok(Some(types))
    }

    /// The operation, from its name and the keys that are not common to all nodes.
    fn operation(
        &mut self,
        place: Place<'_>,
        name: &'t str,
        declared: Option<&[Type]>,
        rest: Vec<(&'t str, &'t Json<'t>)>,
    ) -> Result<Option<O>, Error> {
        if name == self.constant {
            return Ok(self.constant_value(place, declared, rest)?.map(O::from_constant));
        }
        if !self.ops.contains(name) {
            let hint = || did_you_mean(name, O::names().iter().copied());
            self.findings.add_with_hint(place.to_string(), format!("there is no operation \"{name}\""), hint);
            return Ok(None);
        }
        let mut attributes = Map::new();
        for (key, value) in &rest {
            if attributes.insert(key.to_string(), value.to_value()).is_some() {
                self.findings.at(place, format!("the key \"{key}\" is given twice"));
            }
        }
        O::from_attributes(name, attributes).map(Some).or_else(|mismatch| {
            // The message quotes the key that the operation does not know, which may be a misspelled common key.
            let quoted =
                |key: &str| [format!("`{key}`"), format!("\"{key}\"")].iter().any(|key| mismatch.0.contains(key));
            let hint = || did_you_mean(rest.iter().find(|(key, _)| quoted(key))?.0, KEYS);
            self.findings.add_with_hint(place.to_string(), format!("{name}: {mismatch}"), hint);
            Ok(None)
        })
    }

    fn constant_value(
        &mut self,
        place: Place<'_>,
        declared: Option<&[Type]>,
        rest: Vec<(&'t str, &'t Json<'t>)>,
    ) -> Result<Option<Array>, Error> {
        let mut value = None;
        for (key, json) in rest {
            if key != "value" {
                let hint = || did_you_mean(key, ["value"].into_iter().chain(KEYS));
                self.findings.add_with_hint(place.to_string(), format!("unknown key \"{key}\""), hint);
            } else if value.replace(json).is_some() {
                self.findings.at(place, "the key \"value\" is given twice");
            }
        }
        let Some(json) = self.findings.required(place, "value", value) else { return Ok(None) };
        if let Json::Object(_) = json {
            let Some([name]) = self.findings.all_fields(place, json, ["ref"]) else { return Ok(None) };
            return self.findings.text(place, "ref", name).map_or(Ok(None), |name| self.table_entry(place, name));
        }
        // A missing type has been reported.
        let Some([ty]) = declared else { return Ok(None) };
        Ok(Array::from_json(json, ty)
            .map_err(|misfit| self.findings.at(place, format!("value{}: {}", misfit.place, misfit.requirement)))
            .ok())
    }

    /// An entry of the table of constants, decoded at its first use.
    fn table_entry(&mut self, place: Place<'_>, name: &'t str) -> Result<Option<Array>, Error> {
        if let Some(value) = self.constants.get(name) {
            return Ok(value.clone());
        }
        let Some(&json) = self.table.get(name) else {
            let hint = || nearest(name, &self.table);
            self.findings.add_with_hint(place.to_string(), format!("there is no constant \"{name}\""), hint);
            return Ok(None);
        };
        let value = self.decode(name, json)?;
        self.constants.insert(name, value.clone());
        Ok(value)
    }

    fn decode(&mut self, name: &'t str, json: &'t Json<'t>) -> Result<Option<Array>, Error> {
        let place = Place::Constant(name);
        let Some([ty, base64]) = self.findings.all_fields(place, json, ["type", "base64"]) else { return Ok(None) };
        let ty = self.findings.text(place, "type", ty).and_then(|text| self.findings.ty(place, text));
        let base64 = self.findings.text(place, "base64", base64);
        let Some((ty, base64)) = ty.zip(base64) else { return Ok(None) };
        self.limits.check_type(&ty, || place.to_string())?;
        Ok(constants::decode(&ty, base64).map_err(|message| self.findings.at(place, message)).ok())
    }

    fn operands(
        &mut self,
        scope: &mut Scope<'t, O>,
        place: Place<'_>,
        position: usize,
        json: Option<&'t Json<'t>>,
    ) -> Option<SmallVec<[Known; 3]>> {
        let names = self.findings.texts(place, "in", json)?;
        let found: SmallVec<[Option<Known>; 3]> =
            names.into_iter().map(|name| self.find(scope, place, Some(position), name)).collect();
        found.into_iter().collect()
    }

    fn regions(&mut self, place: Place<'_>, json: &'t Json<'t>) -> Result<Option<Regions<O>>, Error> {
        let Some(names) = self.findings.texts(place, "regions", Some(json)) else { return Ok(None) };
        let mut regions = Vec::new();
        for name in names {
            let region = self.graph(place, name)?;
            if let Some(region) = &region {
                self.count_region(place, name, region)?;
            }
            if region.as_ref().is_some_and(|region| !region.guards().is_empty()) {
                self.findings.at(place, GUARDED_REGION);
            }
            regions.push(region);
        }
        Ok(regions.into_iter().collect())
    }

    fn role(
        &mut self,
        scope: &mut Scope<'t, O>,
        place: Place<'_>,
        position: usize,
        cotangent_of: Option<&'t Json<'t>>,
        tangent_of: Option<&'t Json<'t>>,
    ) -> Option<Role> {
        if cotangent_of.is_some() && tangent_of.is_some() {
            self.findings.at(place, "a node is \"cotangent_of\" or \"tangent_of\" a value, but not both");
        }
        let mut value = |key, json| {
            let name = self.optional_text(place, key, json)?;
            self.find(scope, place, Some(position), name)?.value
        };
        let cotangent = value("cotangent_of", cotangent_of).map(Role::Cotangent);
        cotangent.or(value("tangent_of", tangent_of).map(Role::Tangent))
    }

    fn optional_text(&mut self, place: Place<'_>, key: &str, json: Option<&'t Json<'t>>) -> Option<&'t str> {
        json.and_then(|json| self.findings.text(place, key, Some(json)))
    }

    /// The inferred result types, or `None` if not enough is known.
    fn infer(
        &mut self,
        place: Place<'_>,
        op: &O,
        operands: &[Known],
        regions: &Regions<O>,
        json: &'t Json<'t>,
        scope: &mut Scope<'t, O>,
    ) -> Result<Option<Types>, Error> {
        let operands: Option<SmallVec<[Type; 3]>> = operands.iter().map(|operand| operand.ty.clone()).collect();
        let Some(operands) = operands else { return Ok(None) };
        let signatures: SmallVec<[Signature; 0]> = regions.iter().map(|region| region.signature()).collect();
        match op.infer(&operands, &signatures) {
            Ok(types) => {
                for ty in &types {
                    self.limits.check_type(ty, || place.to_string())?;
                }
                Ok(Some(types))
            }
            Err(mismatch) => {
                let context = context(&operands, json, scope);
                self.findings.at(place, format!("{}: {mismatch}{context}", op.name()));
                Ok(None)
            }
        }
    }
}

/// What is known of the results: the declared types, or nothing where the inferred types differ.
fn results(node: Option<NodeId>, declared: Option<Types>, inferred: Option<Types>) -> Vec<Known> {
    let contradictory = declared.is_some() && inferred.is_some() && declared != inferred;
    let Some(types) = declared.or(inferred) else { return vec![Known { ty: None, value: None }] };
    let known = |(result, ty)| Known {
        ty: Some(ty).filter(|_| !contradictory),
        value: node.map(|node| Value { node, result: result as u16 }),
    };
    types.into_iter().enumerate().map(known).collect()
}

/// The lines after the message of an operation that rejects its operands: one for each of the first operands, and the
/// source line.
fn context<O: Operation>(operands: &[Type], json: &Json<'_>, scope: &mut Scope<'_, O>) -> String {
    let mut context = String::new();
    for (name, ty) in texts_of(json, "in").zip(operands).take(MAX_SHOWN) {
        let _ = write!(context, "\n  {name}: {ty} = ");
        match scope.node_of(name) {
            None => context.push_str("input"),
            Some(node) => {
                context.push_str(field(node, "op").and_then(Json::as_text).unwrap_or_default());
                texts_of(node, "in").take(MAX_SHOWN).for_each(|operand| context.extend([" ", operand]));
            }
        }
    }
    if operands.len() > MAX_SHOWN {
        let _ = write!(context, "\n  and {} more", operands.len() - MAX_SHOWN);
    }
    if let Some(at) = field(json, "at").and_then(Json::as_text) {
        let _ = write!(context, "\n  at {at}");
    }
    context
}

/// The strings of a list under a key.
fn texts_of<'t>(json: &'t Json<'t>, key: &str) -> impl Iterator<Item = &'t str> {
    field(json, key).and_then(Json::as_list).unwrap_or_default().iter().filter_map(Json::as_text)
}
